import { describe, expect, it } from "vitest";
import { Session } from "../../src/core/session.js";
import { DEFAULT_CONFIG, type Input, type Output } from "../../src/core/session_io.js";
import type { OutboxItem, SendState } from "../../src/core/patch.js";
import type { OutboxFile } from "../../src/core/attached.js";
import { emptyState } from "../../src/core/sync.js";

const file = (part = 0, size = 1_000): OutboxFile => ({ part, slot: "file_id", kind: "photo", type: "image/jpeg", size });
const photo = (id: string, files: OutboxFile[] = [file()], chat = 7): OutboxItem => ({ client_id: id, chat_id: chat, body: { kind: "photo" } as never, files, at: 0, order: 0 });
const text = (id: string): OutboxItem => ({ client_id: id, chat_id: 7, body: { kind: "text", text: id }, at: 0, order: 0 });

class Device {
  now = 0;
  ticket = 0;
  readonly session: Session;
  readonly done: Output[] = [];

  constructor(kept: OutboxItem[] = []) {
    this.session = new Session(DEFAULT_CONFIG, "token", emptyState(), kept);
  }

  /** Gives the core an input; what it says of the store is answered at once. */
  in(input: Input): this {
    this.session.handle(this.now, () => 0, input);
    for (const output of this.session.take()) {
      this.done.push(output);
      if (output.type === "store") this.in({ type: "stored", clientId: output.item.client_id, ok: true });
    }
    return this;
  }

  online(): this {
    this.in({ type: "tick" }).in({ type: "opened" });
    return this.answer("hello", {
      user: { id: 1, handle: "a", name: "a" }, device_id: 1, heartbeat_seconds: 30,
      sync: { epochs: [["people", "1"], ["chats", "1"]], user: { from: 0, version: 1 }, chats: [] },
    });
  }

  give(item: OutboxItem): this {
    return this.in({ type: "send", ticket: ++this.ticket, item });
  }

  step(clientId: string, step: Extract<Input, { type: "file" }>["step"], index = 0): this {
    return this.in({ type: "file", clientId, index, step });
  }

  of<T extends Output["type"]>(type: T): Extract<Output, { type: T }>[] {
    return this.done.filter((it) => it.type === type) as Extract<Output, { type: T }>[];
  }

  /** The requests written, by method. */
  written(method: string): { id: number; params: Record<string, unknown> }[] {
    return this.of("write").map((it) => JSON.parse(it.text)).filter((it) => it.method === method);
  }

  answer(method: string, ok: unknown): this {
    return this.in({ type: "frame", text: JSON.stringify({ id: this.written(method).at(-1)?.id, ok }) });
  }

  refuse(method: string, error: object): this {
    return this.in({ type: "frame", text: JSON.stringify({ id: this.written(method).at(-1)?.id, error: { message: "", ...error } }) });
  }

  state(clientId: string): SendState | undefined {
    return this.session.outbox().find((it) => it.item.client_id === clientId)?.state;
  }
}

const SENT = { seq: 1, version: 1, sent_at: "2026-01-01T00:00:00Z" };

describe("a message with a file", () => {
  it("goes out when its file is at the server, and names it", () => {
    const device = new Device().online().give(photo("a"));
    expect(device.of("upload")).toHaveLength(1);
    expect(device.written("send")).toEqual([]);
    expect(device.state("a")).toEqual({ state: "uploading", sent: 0, size: 1_000 });
    device.step("a", { at: "begun", id: "F" }).step("a", { at: "sent", bytes: 400 });
    expect(device.state("a")).toEqual({ state: "uploading", sent: 400, size: 1_000 });
    expect(device.of("store").at(-1)?.item.files?.[0]).toMatchObject({ id: "F" });
    device.step("a", { at: "hindered", code: "unreachable" });
    expect(device.state("a")).toMatchObject({ hindered: "unreachable" });
    device.step("a", { at: "done", id: "F" });
    expect(device.written("send")[0]?.params).toEqual({ chat_id: 7, client_id: "a", body: { kind: "photo", file_id: "F" } });
    device.answer("send", SENT);
    expect(device.of("unstore")).toHaveLength(1);
  });

  it("is tried again while the server looks at its file, and says so", () => {
    const device = new Device().online().give(photo("a")).step("a", { at: "done", id: "F" });
    device.refuse("send", { code: "file_not_ready", action: "retry", retry_after_ms: 250 });
    expect(device.state("a")).toEqual({ state: "waiting", written: true, preparing: true });
    device.now = 250;
    device.in({ type: "tick" });
    expect(device.written("send")).toHaveLength(2);
  });

  it("goes up once more when the server has forgotten its file, but not for ever", () => {
    const device = new Device().online().give(photo("a")).step("a", { at: "done", id: "F" });
    device.refuse("send", { code: "file_not_found", action: "give_up" });
    expect(device.of("upload")).toHaveLength(2);
    expect(device.state("a")?.state).toBe("uploading");
    device.step("a", { at: "done", id: "G" });
    expect(device.written("send").at(-1)?.params.body).toEqual({ kind: "photo", file_id: "G" });
    device.refuse("send", { code: "file_not_found", action: "give_up" });
    expect(device.state("a")).toMatchObject({ state: "failed", error: { code: "file_not_found" } });
  });

  it("fails with the code of its upload, stays, and can be tried again", () => {
    const device = new Device().online().give(photo("a")).step("a", { at: "begun", id: "F" });
    device.in({ type: "file_failed", clientId: "a", error: { code: "file_too_large", message: "", action: "give_up" } as never });
    expect(device.state("a")).toMatchObject({ state: "failed", error: { code: "file_too_large" } });
    expect(device.of("refuse").at(-1)?.refusal).toMatchObject({ reason: "server" });
    device.in({ type: "retry", clientId: "a" });
    expect(device.of("upload").at(-1)?.file).toMatchObject({ id: "F" });
  });

  it("can be cancelled while it goes up, and the server is told", () => {
    const device = new Device().online().give(photo("a")).step("a", { at: "begun", id: "F" });
    device.in({ type: "cancel", clientId: "a" });
    expect(device.of("stop_uploads")).toEqual([{ type: "stop_uploads", clientId: "a", forget: ["F"] }]);
    expect(device.of("unstore")).toHaveLength(1);
    expect(device.session.outbox()).toEqual([]);
    // What the upload still says reaches nothing.
    device.step("a", { at: "done", id: "F" });
    expect(device.written("send")).toEqual([]);
  });

  it("goes on after the end of the process where it stood", () => {
    const device = new Device([{ ...photo("a"), files: [{ ...file(), id: "F" }] }]);
    expect(device.state("a")?.state).toBe("uploading");
    device.online();
    expect(device.of("upload")[0]?.file).toMatchObject({ id: "F" });
    // It was never written: it can be cancelled.
    device.in({ type: "cancel", clientId: "a" });
    expect(device.session.outbox()).toEqual([]);
  });

  it("rests for a moment when its upload ended without a fault of its own", () => {
    const device = new Device().online().give(photo("a")).step("a", { at: "paused" });
    expect(device.of("upload")).toHaveLength(1);
    device.now = device.session.deadline(device.now);
    device.in({ type: "tick" });
    expect(device.of("upload")).toHaveLength(2);
  });
});

describe("messages of one chat", () => {
  it("with words do not wait for a file, and small files keep their order", () => {
    const device = new Device().online().give(photo("a")).give(text("b")).give(photo("c"));
    expect(device.written("send").map((it) => it.params.client_id)).toEqual(["b"]);
    device.answer("send", SENT).step("c", { at: "done", id: "C" });
    expect(device.written("send")).toHaveLength(1);
    device.step("a", { at: "done", id: "A" });
    expect(device.written("send").map((it) => it.params.client_id)).toEqual(["b", "a"]);
    device.answer("send", SENT);
    expect(device.written("send").map((it) => it.params.client_id)).toEqual(["b", "a", "c"]);
  });

  it("do not wait for a long film", () => {
    const device = new Device().online().give(photo("film", [file(0, 1e9)])).give(photo("voice")).step("voice", { at: "done", id: "V" });
    expect(device.written("send").map((it) => it.params.client_id)).toEqual(["voice"]);
  });

  it("bring up two files at once, in their order", () => {
    const device = new Device().online().give(photo("a")).give(photo("b")).give(photo("c"));
    expect(device.of("upload").map((it) => it.clientId)).toEqual(["a", "b"]);
    device.step("b", { at: "done", id: "B" });
    expect(device.of("upload").map((it) => it.clientId)).toEqual(["a", "b", "c"]);
  });
});

describe("an album", () => {
  const album: OutboxItem = { ...photo("a", [file(0), file(1)]), rest: [{ client_id: "b", body: { kind: "photo", text: "two" } as never }], reply_to: 3 };

  it("is one request when all its files are there", () => {
    const device = new Device().online().give(album).step("a", { at: "done", id: "F" });
    expect(device.written("send_album")).toEqual([]);
    expect(device.state("a")).toEqual({ state: "uploading", sent: 1_000, size: 2_000 });
    device.step("a", { at: "done", id: "G" }, 1);
    expect(device.written("send_album")[0]?.params).toEqual({
      chat_id: 7, reply_to: 3,
      items: [{ client_id: "a", body: { kind: "photo", file_id: "F" } }, { client_id: "b", body: { kind: "photo", text: "two", file_id: "G" } }],
    });
    device.answer("send_album", { sent: [SENT, { ...SENT, seq: 2 }] });
    expect(device.of("unstore")).toHaveLength(1);
  });
});
