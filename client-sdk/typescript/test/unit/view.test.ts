import { describe, expect, it } from "vitest";
import { Chat } from "../../src/core/chat.js";
import { applyOutbox } from "../../src/core/patch.js";
import { Outbox } from "../../src/core/outbox.js";
import { applyOwn } from "../../src/core/own.js";
import { emptyState, type State } from "../../src/core/sync.js";
import type { ChatSnapshot, Message } from "../../src/protocol.js";
import { chatView, chatViews } from "../../src/view.js";

const message = (seq: number, sender = 2): Message =>
  ({ row: "message", seq, version: seq, sender, client_id: `c${seq}`, sent_at: "2026-11-23T08:30:00.000Z", body: { kind: "text", text: "m" } }) as Message;

/** 500 chats, of which 60 are groups of 800: somebody who is in everything. */
function world(): State {
  const state = emptyState();
  state.me = { id: 1, handle: "me", name: "Me" };
  for (let id = 1; id <= 500; id++) {
    const members = Array.from({ length: id <= 60 ? 800 : 2 }, (_, at) => ({ row: "member", version: 1, user_id: at + 1, role: "member" as const, read_seq: 0 }));
    const kind = id <= 60 ? "group" : "direct";
    const snapshot = { chat: { id, kind, title: "g", created_at: "2026-11-23T08:30:00.000Z" }, version: 50, last_seq: 50, rows: [...members, ...Array.from({ length: 50 }, (_, at) => message(at + 1))] };
    state.chats.set(id, Chat.fromSnapshot(snapshot as unknown as ChatSnapshot, 1));
    state.own.chats.set(id, { chat_id: id, read_seq: 40, version: 1, role: "member" });
  }
  return state;
}

describe("the list of chats", () => {
  it("costs an event next to nothing, however many chats and members there are", () => {
    const state = world();
    chatViews(state);
    const costs: number[] = [];
    for (let turn = 0; turn < 200; turn++) {
      const chat = state.chats.get(1 + (turn % 500)) as Chat;
      const seq = chat.last_seq + 1;
      chat.apply({ chat_id: chat.info.id, from: chat.version, version: chat.version + 1, rows: [message(seq)] } as never, 1, 500, []);
      const began = performance.now();
      chatViews(state);
      costs.push(performance.now() - began);
    }
    const median = costs.sort((a, b) => a - b)[100] as number;
    expect(median).toBeLessThan(2);
  });

  it("has the same objects for what did not change, and new ones for what did", () => {
    const state = world();
    const chat = state.chats.get(7) as Chat;
    const before = chatView(state, chat);
    expect(chatView(state, chat)).toBe(before);
    chat.setRead(3, 50, 1);
    expect(chatView(state, chat).othersRead).toBe(50);
    state.own.chats.set(7, { chat_id: 7, read_seq: 50, version: 2, role: "member" });
    expect(chatView(state, chat).unread).toBe(0);
    chat.apply({ chat_id: 7, from: 50, version: 51, rows: [{ ...message(50), version: 51, body: { kind: "deleted" } }] } as never, 1, 500, []);
    expect(chatView(state, chat).lastMessage?.body.kind).toBe("deleted");
    chat.apply({ chat_id: 7, from: 51, version: 52, rows: [{ row: "info", ...chat.info, version: 52, title: "another" }] } as never, 1, 500, []);
    expect(chatView(state, chat).info.title).toBe("another");
  });
});

describe("what the user has deleted for themselves", () => {
  const hide = (state: State, ...seqs: [number, number][]): void => {
    applyOwn(state.own, { from: state.own.version, version: state.own.version + 1, items: [{ kind: "hidden", chat_id: 7, version: state.own.version + 1, value: { seqs } }] } as never);
  };

  it("is neither the last message nor unread, and calls nobody", () => {
    const state = world();
    const chat = state.chats.get(7) as Chat;
    state.own.version = 1;
    const called = { ...message(51), body: { kind: "text", text: "@me", entities: [{ offset: 0, length: 3, type: "mention", user_id: 1 }] } };
    chat.apply({ chat_id: 7, from: 50, version: 52, rows: [called, { ...message(52), answers: 1 }] } as never, 1, 500, []);
    const before = chatView(state, chat);
    expect([before.unread, before.mentions, before.lastMessage?.seq]).toEqual([12, [51, 52], 52]);
    hide(state, [42, 43], [52, 52]);
    const after = chatView(state, chat);
    expect([after.unread, after.mentions, after.lastMessage?.seq]).toEqual([9, [51], 51]);
    expect(chatView(state, chat)).toBe(after);
    hide(state);
    expect(chatView(state, chat).lastMessage?.seq).toBe(52);
  });
});

describe("the outbox", () => {
  it("tells what changed of it, not all of it, and whoever takes that over ends with the same", () => {
    const outbox = new Outbox([]);
    let copy: ReturnType<typeof applyOutbox> = [];
    let told = 0;
    const step = (): void => {
      const patch = outbox.takeChanges();
      if (!patch) return;
      told += patch.put.length + patch.gone.length;
      copy = applyOutbox(copy, structuredClone(patch));
    };
    const same = (): void => expect(copy.map((it) => it.item.client_id)).toEqual(outbox.entries().map((it) => it.item.client_id));
    for (let n = 0; n < 1_000; n++) outbox.push({ client_id: `m${n}`, chat_id: 7, body: { kind: "text", text: "x" }, at: 0, order: n }, n);
    step();
    same();
    for (let n = 0; n < 1_000; n++) outbox.saved(`m${n}`);
    step();
    told = 0;
    for (let n = 0; n < 1_000; n++) {
      const next = outbox.next(0, 16);
      step();
      outbox.sent(next!.client_id, { seq: n + 1, version: n + 1, sent_at: "" } as never);
      step();
      outbox.settle(7, n + 1);
      step();
    }
    same();
    expect(copy).toEqual([]);
    expect(told).toBeLessThanOrEqual(3_000);
  });
});
