// Files from the application to the server: kept in a database, brought up by one tab, taken over by another.
import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Client, MemoryStore, type ClientEvent } from "../../src/index.js";
import { DEFAULT_CONFIG } from "../../src/core/session_io.js";
import { viewOf } from "../../src/open.js";
import { IndexedDbStore } from "../../src/store/indexeddb.js";
import { Tabs, type TabsPlatform } from "../../src/tabs.js";
import { Links } from "../../src/files/links.js";
import type { SocketConstructor } from "../../src/transport.js";
import { SENT, Welcoming } from "../support/socket.js";
import { Locks } from "../support/tabs.js";
import { TusServer } from "../support/tus.js";

let server: TusServer;
beforeEach(async () => {
  server = await TusServer.start();
  Welcoming.reset();
});
afterEach(() => server.close());

const data = (size: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length: size }, (_, at) => (at * 7) % 251);
const open = (store: MemoryStore | IndexedDbStore): Promise<Client> =>
  Client.open({ url: server.url, token: "secret", store, tabs: false, WebSocket: Welcoming as unknown as SocketConstructor });
const sends = (): Record<string, unknown>[] => Welcoming.asked.filter((it) => it.method === "send").map((it) => it.params);

describe("a file that is sent", () => {
  it("goes up, then the message goes out and names it; nothing of it stays", async () => {
    Welcoming.answers.send = () => SENT;
    const store = await IndexedDbStore.open("whole");
    const client = await open(store);
    const states: string[] = [];
    client.on("outbox", ({ state }) => states.push(state?.state ?? "gone"));
    const given = client.sendFile(7, new File([data(500_000)], "دستور.pdf", { type: "application/pdf" }), { text: "سلام" });
    expect(client.outbox(7)[0]?.item.files?.[0]).toMatchObject({ name: "دستور.pdf", size: 500_000, kind: "document" });
    expect((await client.outgoingFile(given.clientId))?.size).toBe(500_000);
    await given;
    const [id = ""] = server.uploads.keys();
    expect(sends()[0]).toMatchObject({ body: { kind: "document", text: "سلام", file_id: id } });
    expect(server.content(id).equals(data(500_000))).toBe(true);
    expect(states).toContain("uploading");
    await expect.poll(() => store.file(given.clientId, 0)).toBeUndefined();
    await client.close();
  });

  it("goes on after the end of the page, where it stood, from what was kept", async () => {
    server.each = () => (server.asked.length > 2 ? { status: 503 } : undefined);
    let store = await IndexedDbStore.open("reload");
    let client = await open(store);
    client.sendFile(7, new Blob([data(900_000)]), { kind: "photo", clientId: "a" });
    await expect.poll(() => client.outbox(7)[0]?.state).toMatchObject({ state: "uploading", hindered: "unreachable" });
    await client.close();
    store.close();
    server.each = undefined;
    server.asked.length = 0;
    Welcoming.answers.send = () => SENT;
    store = await IndexedDbStore.open("reload");
    client = await open(store);
    await expect.poll(() => sends().length).toBe(1);
    expect(server.asked[0]).toBe("HEAD");
    expect(server.uploads.size).toBe(1);
    expect(server.content([...server.uploads.keys()][0] ?? "").equals(data(900_000))).toBe(true);
    await client.close();
  });

  it("whose bytes did not outlive the page fails with a word for it, and the next goes on", async () => {
    Welcoming.answers.send = () => SENT;
    const store = new MemoryStore();
    await store.putOutbox([{ client_id: "a", chat_id: 7, body: { kind: "photo" } as never, at: 0, order: 1, files: [{ part: 0, slot: "file_id", kind: "photo", type: "", size: 9 }] }]);
    const client = await open(store);
    await expect.poll(() => client.outbox(7)[0]?.state).toMatchObject({ state: "failed", error: { code: "file_unreadable" } });
    await client.sendFile(7, new Blob([data(9)]));
    expect(await client.cancel("a")).toBe(true);
    await client.close();
  });

  it("that is cancelled is forgotten here and at the server", async () => {
    server.each = () => (server.asked.at(-1) === "PATCH" ? { status: 503 } : undefined);
    const client = await open(new MemoryStore());
    const given = client.sendFile(7, new Blob([data(900_000)]));
    await expect.poll(() => server.uploads.size).toBe(1);
    await expect.poll(() => client.outbox(7)[0]?.item.files?.[0]?.id).toBeTruthy();
    expect(await client.cancel(given.clientId)).toBe(true);
    await expect(given.stored).rejects.toMatchObject({ code: "cancelled" });
    await expect.poll(() => server.uploads.size).toBe(0);
    await client.close();
  });
});

describe("two tabs", () => {
  it("bring a file up once: the one that leads does, and when it is gone the other goes on", async () => {
    const locks = new Locks();
    const channels: { onmessage: ((event: { data: unknown }) => void) | undefined }[] = [];
    const platform: TabsPlatform = {
      channel: () => {
        const channel = {
          onmessage: undefined as ((event: { data: unknown }) => void) | undefined,
          close: () => void channels.splice(channels.indexOf(channel), 1),
          postMessage: (said: unknown) => {
            for (const other of channels) if (other !== channel) setTimeout(() => other.onmessage?.({ data: structuredClone(said) }), 0);
          },
        };
        channels.push(channel);
        return channel as unknown as BroadcastChannel;
      },
      lock: (name, options, held) => locks.request(name, options, held),
      visible: true,
    };
    const tab = async (): Promise<{ backend: Tabs; events: ClientEvent[] }> => {
      const store = await IndexedDbStore.open("two-tabs");
      const events: ClientEvent[] = [];
      const options = { websocketUrl: "ws://x/ws", httpUrl: server.url, WebSocket: Welcoming as never, config: DEFAULT_CONFIG, store };
      return { backend: new Tabs(platform, "two", options, viewOf(await store.load(), true, "secret"), (more) => events.push(...more)), events };
    };
    const first = await tab();
    await expect.poll(() => first.backend.leads).toBe(true);
    const second = await tab();
    server.each = () => (server.asked.at(-1) === "POST" ? undefined : { status: 503 });
    const item = { client_id: "a", chat_id: 7, body: { kind: "photo" } as never, at: 0, order: 1, files: [{ part: 0, slot: "file_id" as const, kind: "photo" as const, type: "", size: 900_000 }] };
    const stored = second.backend.do({ op: "send", item, files: [new Blob([data(900_000)])] });
    await expect.poll(() => second.backend.view.outbox[0]?.state).toMatchObject({ state: "uploading", hindered: "unreachable" });
    expect(server.uploads.size).toBe(1);
    expect(((await second.backend.do({ op: "file", clientId: "a", index: 0 })) as Blob).size).toBe(900_000);
    // The tab that leads is gone.
    Welcoming.answers.send = () => SENT;
    await first.backend.close();
    await expect.poll(() => second.backend.leads).toBe(true);
    server.each = undefined;
    await second.backend.do({ op: "hurry" });
    expect(await stored).toMatchObject({ seq: 1 });
    expect(server.uploads.size).toBe(1);
    expect(server.content([...server.uploads.keys()][0] ?? "").equals(data(900_000))).toBe(true);
    await second.backend.close();
  });
});

describe("links", () => {
  it("of a screen are one request, are kept until shortly before their end, and are asked for again then", async () => {
    let now = 1_000_000;
    const asked: number[] = [];
    const links = new Links("http://x", async (_, files) => {
      asked.push(files.length);
      return { links: files.filter((it) => it.file_id !== "no").map((it) => ({ file_id: it.file_id, size: "320", url: `/files/d/${it.file_id}` })), expires_at: new Date(now + 600_000).toISOString() } as never;
    }, () => now);
    const some = await Promise.all(["a", "b", "no"].map((fileId, seq) => links.of(7, { seq, fileId })));
    expect(some.map((it) => it?.get("320"))).toEqual(["http://x/files/d/a", "http://x/files/d/b", undefined]);
    await links.of(7, { seq: 0, fileId: "a" });
    expect(asked).toEqual([3]);
    now += 550_000;
    await links.of(7, { seq: 0, fileId: "a" });
    expect(asked).toEqual([3, 1]);
  });

  it("that could not be asked for are asked for anew", async () => {
    let tries = 0;
    const links = new Links("http://x", async () => {
      if (++tries === 1) throw new Error("no network");
      return { links: [], expires_at: new Date(Date.now() + 1e6).toISOString() } as never;
    });
    await expect(links.of(7, { seq: 1, fileId: "a" })).rejects.toThrow();
    expect(await links.of(7, { seq: 1, fileId: "a" })).toBeUndefined();
  });
});
