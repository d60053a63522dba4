import WebSocket from "ws";
import { Client, type ClientOptions } from "../../src/index.js";
import type { SocketConstructor } from "../../src/transport.js";

let count = 0;

/** A handle that no other test has. */
export const handle = (name: string): string => `${name}_${process.pid}_${++count}`.slice(0, 32);

/** A client that is signed in as somebody new. */
export async function person(url: string, name: string, options: ClientOptions = {}): Promise<Client> {
  const client = await open(url, options);
  await client.register({ handle: handle(name), password: "a long password", name });
  await client.online();
  return client;
}

export const open = (url: string, options: ClientOptions = {}): Promise<Client> =>
  Client.open({ url, WebSocket: WebSocket as unknown as SocketConstructor, ...options });

/** Waits until something holds, looking again after each event. The test's own time-out ends it. */
export async function until(client: Client, holds: () => boolean): Promise<void> {
  if (holds()) return;
  await new Promise<void>((resolve) => {
    const off = client.on("*", () => {
      if (!holds()) return;
      off();
      resolve();
    });
  });
}

export const texts = (client: Client, chatId: number): string[] =>
  client.messages(chatId).map(({ message }) => (message.body.kind === "text" ? String(message.body.text) : message.body.kind));
