import { expect, it } from "vitest";
import { Client } from "../../src/index.js";

interface Written {
  id: number;
  method: string;
  params: { handle?: string };
}

/** A socket whose other end is this test. */
class Line {
  static last: Line;
  readyState = 1;
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: unknown) => void) | null = null;
  onerror = null;
  readonly written: Written[] = [];
  constructor() {
    Line.last = this;
  }
  send(text: string): void {
    this.written.push(JSON.parse(text) as Written);
  }
  close(): void {
    this.readyState = 3;
  }
  say(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  welcome(): void {
    this.onopen?.({});
    const user = { id: 1, handle: "sara", name: "Sara" };
    const sync = { epochs: [["people", "e1"], ["chats", "e1"]], reset: ["people", "chats"], user: { from: 0, version: 0 }, chats: [] };
    this.say({ id: this.written[0]?.id, ok: { user, device_id: 1, server_time: "2026-11-23T08:30:00.000Z", heartbeat_seconds: 30, sync } });
  }
  get asked(): (string | undefined)[] {
    return this.written.filter((it) => it.method === "resolve").map((it) => it.params.handle);
  }
}

const open = (): Promise<Client> => Client.open({ url: "http://127.0.0.1:1", token: "t", WebSocket: Line as never });
const cancelled = { code: "cancelled", action: "give_up" };

it("a request that is given up before it was written never is; others go on", async () => {
  const client = await open();
  const given = new AbortController();
  const first = client.request("resolve", { handle: "given_up" }, { signal: given.signal });
  const second = client.request("resolve", { handle: "wanted" }, { signal: new AbortController().signal });
  given.abort();
  await expect(first).rejects.toMatchObject(cancelled);
  Line.last.welcome();
  expect(Line.last.asked).toEqual(["wanted"]);
  Line.last.say({ id: Line.last.written.at(-1)?.id, ok: { user: { id: 2, handle: "wanted", name: "W" } } });
  expect((await second).user?.id).toBe(2);
  await client.close();
});

it("an answer that nobody waits for any more reaches nobody, and one that was given up before asks nothing", async () => {
  const client = await open();
  Line.last.welcome();
  const given = new AbortController();
  const asked = client.request("resolve", { handle: "late" }, { signal: given.signal });
  expect(Line.last.asked).toEqual(["late"]);
  given.abort();
  await expect(asked).rejects.toMatchObject(cancelled);
  Line.last.say({ id: Line.last.written.at(-1)?.id, ok: { user: { id: 2, handle: "late", name: "L" } } });
  await expect(client.request("resolve", { handle: "never" }, { signal: given.signal })).rejects.toMatchObject(cancelled);
  expect(Line.last.asked).toEqual(["late"]);
  await client.close();
});
