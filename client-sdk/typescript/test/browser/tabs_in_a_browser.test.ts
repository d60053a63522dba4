import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { handle } from "../support/clients.js";
import { context, launch, page } from "../support/browser.js";
import { Server } from "../support/server.js";

let server: Server;
let browser: Browser;
beforeAll(async () => void ([server, browser] = await Promise.all([Server.start(), launch()])));
afterAll(() => Promise.all([browser.close(), server.close()]));

it("two tabs share one connection; the chats are there offline, and after a reload; the second takes over", async () => {
  const made = await context(browser);
  const first = await page(made, server.url);
  let sockets = 0;
  made.on("page", (it) => it.on("websocket", () => (sockets += 1)));
  first.on("websocket", () => (sockets += 1));
  const chatId = await first.evaluate(async (name) => {
    globalThis.client = await chapar.Client.open();
    await client.register({ handle: name, password: "a long password" });
    await client.online();
    const { chat } = await client.openDirect(client.me!.id);
    await client.send(chat.id, "یک").stored;
    await until(client, () => client.messages(chat.id).length === 1);
    return chat.id;
  }, handle("sara"));
  const second = await page(made, server.url);
  await second.evaluate(async (id) => {
    globalThis.client = await chapar.Client.open();
    // From the store, or, when it was not saved yet, from the tab that has it.
    await until(client, () => client.messages(id).length === 1);
    await client.online();
    await client.send(id, "دو").stored;
    await until(client, () => client.messages(id).length === 2);
  }, chatId);
  expect(sockets).toBe(1);
  expect(await second.evaluate(() => client.persistent)).toBe(true);
  await first.close();
  await second.evaluate(async (id) => {
    await client.send(id, "سه").stored;
    await until(client, () => client.messages(id).length === 3 && client.outbox().length === 0);
  }, chatId);
  expect(sockets).toBe(2);
  await second.waitForFunction(async (id) => (await saved(id)) === 3, chatId);
  // Cut from the server: what was saved is shown, what is written waits, and goes out when the network is back.
  await server.stop();
  await made.route("**/openapi.json", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await second.reload();
  const offline = await second.evaluate(async (id) => {
    globalThis.client = await chapar.Client.open();
    client.send(id, "چهار");
    return [client.messages(id).length, client.outbox(id).length, client.me?.handle];
  }, chatId);
  expect(offline).toEqual([3, 1, expect.stringContaining("sara")]);
  await server.start();
  const texts = await second.evaluate(async (id) => {
    const timer = setInterval(() => client.hurry(), 200);
    await until(client, () => client.messages(id).length === 4);
    clearInterval(timer);
    return client.messages(id).map((it) => it.message.body.kind === "text" && it.message.body.text);
  }, chatId);
  expect(texts).toEqual(["یک", "دو", "سه", "چهار"]);
  await made.close();
});

it("a blocked IndexedDB is said, and everything works without", async () => {
  const made = await context(browser);
  await made.addInitScript(() => Object.defineProperty(globalThis, "indexedDB", { get: () => ({ open: () => { throw new DOMException("blocked", "SecurityError"); } }) }));
  const it = await page(made, server.url);
  const result = await it.evaluate(async (name) => {
    globalThis.client = await chapar.Client.open();
    await client.register({ handle: name, password: "a long password" });
    await client.online();
    const { chat } = await client.openDirect(client.me!.id);
    return [client.persistent, (await client.send(chat.id, "one").stored).seq];
  }, handle("mina"));
  expect(result).toEqual([false, 1]);
  await made.close();
});
