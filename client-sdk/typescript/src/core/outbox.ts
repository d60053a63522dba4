// Messages on their way out. They keep their order in each chat and their client id for good (R12, R13).
//
//            saved            written              sent
//  saving ─────────► waiting ─────────► written ──────────► sent ──► gone when the chat's delta is here
//     │                ▲   ▲               │  │
//     │ store failed   │   │ lost, retry   │  │ give up
//     ▼                │   └───────────────┘  ▼
//   gone               └──────retry()────── failed ──cancel()──► gone
//
// One message of a chat is under way at a time: a second one might be stored while the first is refused with
// "try again", and would then stand before it for good. Chats do not wait for each other.

import type { ChatId, Send, Sent, Version, WireError } from "../protocol.js";
import { Backoff, type Dice } from "./backoff.js";
import type { Outgoing, OutboxItem, OutboxPatch, SendState } from "./patch.js";
import { checkBody } from "./size.js";

type Stage = "saving" | "waiting" | "written" | "sent" | "failed";

export interface Entry {
  item: OutboxItem;
  stage: Stage;
  sent?: Sent;
  /** Whether the server may have it. Only a message that it cannot have can be cancelled. */
  everWritten: boolean;
  notBefore: number;
  backoff: Backoff;
  /** Who waits for the answer. */
  tickets: number[];
}

export function stateOf(entry: Entry): SendState {
  if (entry.sent) return { state: "sent", ...entry.sent };
  if (entry.stage === "failed" && entry.item.failed) return { state: "failed", error: entry.item.failed };
  return { state: "waiting", written: entry.everWritten };
}

export const outgoing = (entry: Entry): Outgoing => ({ item: entry.item, state: stateOf(entry) });

/** The request that sends a message. */
export function sendParams({ chat_id, client_id, body, reply_to }: OutboxItem): Send {
  return reply_to === undefined ? { chat_id, client_id, body } : { chat_id, client_id, body, reply_to };
}

const entryOf = (item: OutboxItem, stage: Stage): Entry => ({
  item,
  stage,
  everWritten: false,
  notBefore: 0,
  backoff: new Backoff(),
  tickets: [],
});

/** The outbox, in the order in which the messages were given. */
export class Outbox {
  #entries: Entry[];
  /** What changed since it was last asked, by client id. */
  #changed = new Set<string>();

  /** What a store had kept. It may have been written before the process ended, so it cannot be cancelled. */
  constructor(items: OutboxItem[]) {
    // One that is too large was kept by a version that did not look: written, it would end each connection.
    const looked = items.map((item) => {
      const error = item.failed ?? checkBody(item.body);
      return error ? { ...item, failed: error } : item;
    });
    const sorted = looked.sort((a, b) => a.order - b.order);
    this.#entries = sorted.map((item) => ({
      ...entryOf(item, item.failed ? "failed" : "waiting"),
      everWritten: !item.failed,
    }));
  }

  get length(): number {
    return this.#entries.length;
  }

  entries(): readonly Entry[] {
    return this.#entries;
  }

  get(clientId: string): Entry | undefined {
    return this.#entries.find((entry) => entry.item.client_id === clientId);
  }

  /** What changed since the last time: not the whole, which may be a thousand messages at each step of each of them. */
  takeChanges(): OutboxPatch | undefined {
    if (this.#changed.size === 0) return undefined;
    const changed = this.#changed;
    this.#changed = new Set();
    const put = this.#entries.filter((entry) => changed.has(entry.item.client_id)).map(outgoing);
    for (const { item } of put) changed.delete(item.client_id);
    return { put, gone: [...changed] };
  }

  /** Adds a message that the store does not have yet, at the end. */
  push(item: OutboxItem, ticket: number): OutboxItem {
    const order = Math.max(item.order, (this.#entries.at(-1)?.item.order ?? 0) + 1);
    const entry = entryOf({ ...item, order }, "saving");
    entry.tickets.push(ticket);
    this.#entries.push(entry);
    this.#changed.add(item.client_id);
    return entry.item;
  }

  /** The store has it. */
  saved(clientId: string): void {
    const entry = this.get(clientId);
    if (entry?.stage === "saving") this.#move(entry, "waiting");
  }

  /** The store cannot take it. Nothing when that does not matter any more. */
  notSaved(clientId: string): Entry | undefined {
    const entry = this.get(clientId);
    return entry?.stage === "saving" ? this.#take(entry) : undefined;
  }

  /** Takes everybody who waits for an answer. */
  takeTickets(): number[] {
    return this.#entries.flatMap((entry) => entry.tickets.splice(0));
  }

  /** Takes the next message that may be written now, marking it written. */
  next(now: number, inFlight: number): OutboxItem | undefined {
    const busy = new Set<ChatId>();
    let written = 0;
    let found: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.stage === "written") written += 1;
      if (entry.stage === "sent" || entry.stage === "failed" || busy.has(entry.item.chat_id)) continue;
      busy.add(entry.item.chat_id);
      if (!found && entry.stage === "waiting" && entry.notBefore <= now) found = entry;
    }
    if (!found || written >= inFlight) return undefined;
    found.everWritten = true;
    this.#move(found, "written");
    return found.item;
  }

  /** The server has stored it. Returns the entry, which stays as sent, the first time. */
  sent(clientId: string, sent: Sent): Entry | undefined {
    const entry = this.get(clientId);
    if (!entry || entry.stage === "sent") return undefined;
    entry.sent = { seq: sent.seq, version: sent.version, sent_at: sent.sent_at };
    delete entry.item.failed;
    this.#move(entry, "sent");
    return entry;
  }

  /** To be tried again, after `after` milliseconds or with back-off. */
  again(clientId: string, now: number, after: number | undefined, dice: Dice): void {
    const entry = this.get(clientId);
    if (entry?.stage !== "written") return;
    const own = entry.backoff.next(dice);
    entry.notBefore = now + (after ?? own);
    this.#move(entry, "waiting");
  }

  /** The server will never take it. */
  failed(clientId: string, error: WireError): Entry | undefined {
    const entry = this.get(clientId);
    if (!entry) return undefined;
    entry.item = { ...entry.item, failed: error };
    this.#move(entry, "failed");
    return entry;
  }

  /** The connection is gone: what was under way must be tried again, at once when there is a new one. */
  lost(): void {
    for (const entry of this.#entries) {
      if (entry.stage !== "written") continue;
      entry.notBefore = 0;
      this.#move(entry, "waiting");
    }
  }

  /** Tries a failed message again. */
  retry(clientId: string): OutboxItem | undefined {
    const entry = this.get(clientId);
    if (entry?.stage !== "failed" || checkBody(entry.item.body)) return undefined;
    const { failed: _, ...item } = entry.item;
    entry.item = item;
    entry.notBefore = 0;
    entry.backoff.reset();
    this.#move(entry, "saving");
    return item;
  }

  /** Removes a message that the server cannot have, or that failed. Nothing when it may be stored already. */
  remove(clientId: string): Entry | undefined {
    const entry = this.get(clientId);
    if (!entry) return undefined;
    const free = entry.stage === "failed" || (!entry.everWritten && entry.stage !== "sent");
    return free ? this.#take(entry) : undefined;
  }

  /** Forgets sent messages of a chat that has reached their version, or which is gone (no version). Returns which. */
  settle(chatId: ChatId, version: Version | undefined): Entry[] {
    return this.#forget((it) => it.item.chat_id === chatId && (version === undefined || version >= (it.sent?.version ?? 0)));
  }

  /** Forgets all sent messages. */
  settleAll(): Entry[] {
    return this.#forget(() => true);
  }

  /** When the next message that waits for a time may go. */
  deadline(now: number): number {
    const times = this.#entries.filter((it) => it.stage === "waiting" && it.notBefore > now).map((it) => it.notBefore);
    return Math.min(...times, Infinity);
  }

  #forget(which: (entry: Entry) => boolean): Entry[] {
    const gone = this.#entries.filter((entry) => entry.stage === "sent" && which(entry));
    if (gone.length) {
      this.#entries = this.#entries.filter((entry) => !gone.includes(entry));
      for (const { item } of gone) this.#changed.add(item.client_id);
    }
    return gone;
  }

  #move(entry: Entry, stage: Stage): void {
    entry.stage = stage;
    this.#changed.add(entry.item.client_id);
  }

  #take(entry: Entry): Entry {
    this.#entries = this.#entries.filter((it) => it !== entry);
    this.#changed.add(entry.item.client_id);
    return entry;
  }
}
