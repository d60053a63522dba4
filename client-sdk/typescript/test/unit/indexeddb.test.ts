import "fake-indexeddb/auto";
import { describe, expect, it } from "vitest";
import type { ChatPatch, Patch } from "../../src/core/patch.js";
import type { Epoch, Message } from "../../src/protocol.js";
import { IndexedDbStore } from "../../src/store/indexeddb.js";

const message = (seq: number): Message =>
  ({ seq, version: seq, sender: 2, client_id: `c${seq}`, sent_at: "2026-11-23T08:30:00.000Z", body: { kind: "text", text: `m${seq}` } }) as Message;
const live = (from: number, count: number): Patch => {
  const last = from + count - 1;
  const head = { info: { id: 7, kind: "group", title: "g", created_at: "" }, version: last, last_seq: last, first: Math.max(last - 500, 1), others_read: 0 };
  return { chats: [{ head, messages: Array.from({ length: count }, (_, at) => message(from + at)) } as unknown as ChatPatch] };
};
const kept = async (store: IndexedDbStore): Promise<number[]> => (await store.rows(7, 0, 1_000_000)).messages.map((it) => it.seq);

describe("what is kept of a chat in the browser", () => {
  it("is bounded also for messages that come live, the newest of them", async () => {
    const store = await IndexedDbStore.open("bounded");
    for (let from = 1; from < 6_000; from += 10) await store.save([live(from, 10)], []);
    const rows = await kept(store);
    expect(rows.length).toBeLessThanOrEqual(3_250);
    expect(rows.length).toBeGreaterThanOrEqual(3_000);
    expect(rows.at(-1)).toBe(6_000);
    expect(rows[0]).toBe(6_000 - rows.length + 1);
    store.close();
  });

  it("is bounded over many short visits, too", async () => {
    for (let visit = 0; visit < 40; visit++) {
      const store = await IndexedDbStore.open("visits");
      for (let from = 1; from <= 100; from += 50) await store.save([live(visit * 100 + from, 50)], []);
      store.close();
    }
    const store = await IndexedDbStore.open("visits");
    expect((await kept(store)).length).toBeLessThanOrEqual(3_250);
    store.close();
  });

  it("is forgotten as far as a database held it that has another history", async () => {
    const store = await IndexedDbStore.open("reset");
    const epochs = (people: string, chats: string): Epoch[] => [["people", people], ["chats", chats]];
    const own = (version: number, ...chats: number[]): NonNullable<Patch["own"]> =>
      ({ version, missedCalls: 0, chats: chats.map((chat_id) => ({ chat_id, read_seq: 0, version, role: "owner" as const })), gone: [], items: [] });
    await store.save([{ ...live(1, 10), epochs: epochs("1", "1"), own: own(2, 7, 8) }], []);
    await store.save([{ reset: { own: true, chats: false }, epochs: epochs("2", "1"), own: own(1, 7) }], []);
    expect(await store.load()).toMatchObject({ epochs: epochs("2", "1"), own: { version: 1, chats: [{ chat_id: 7 }] }, chats: [{ head: { version: 10 } }] });
    expect(await kept(store)).toHaveLength(10);
    await store.save([{ reset: { own: false, chats: true }, epochs: epochs("2", "2") }], []);
    expect(await store.load()).toMatchObject({ epochs: epochs("2", "2"), own: { version: 1, chats: [{ chat_id: 7 }] }, chats: [] });
    expect(await kept(store)).toHaveLength(0);
    store.close();
  });

  it("holds users that are of use, and forgets the rest", async () => {
    const store = await IndexedDbStore.open("users");
    await store.save([], Array.from({ length: 6_000 }, (_, id) => ({ id: id + 1, handle: `h${id}`, name: "x" })));
    expect((await store.load()).users).toHaveLength(5_000);
    expect((await store.load()).users).toHaveLength(5_000);
    store.close();
  });
});

it("a database that opens too late is closed again: nobody has to wait for it", async () => {
  const real = indexedDB.open.bind(indexedDB);
  let opened: IDBDatabase | undefined;
  // It answers after the time is over.
  indexedDB.open = ((name: string, version: number) => {
    const request = real(name, version);
    const late = { result: undefined, error: null, onupgradeneeded: undefined, onsuccess: undefined as (() => void) | undefined, onerror: undefined };
    request.onupgradeneeded = () => Object.assign(late, { result: request.result }) && (late as unknown as { onupgradeneeded?: () => void }).onupgradeneeded?.();
    request.onsuccess = () => {
      opened = request.result;
      Object.assign(late, { result: opened });
      setTimeout(() => late.onsuccess?.(), 5_200);
    };
    return late;
  }) as never;
  await expect(IndexedDbStore.open("late")).rejects.toThrow();
  indexedDB.open = real;
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(() => opened!.transaction(["kv"])).toThrow();
}, 15_000);
