// Messages on their way out. They keep their order in each chat and their client id for good (R12, R13).
//
//            saved            written              sent
//  saving ─────────► waiting ─────────► written ──────────► sent ──► gone when the chat's delta is here
//     │                ▲   ▲               │  │
//     │ store failed   │   │ lost, retry   │  │ give up
//     ▼                │   └───────────────┘  ▼
//   gone               └──────retry()────── failed ──cancel()──► gone
//
// One with files goes from saving to uploading, and to waiting when all of them are at the server; what the server has
// forgotten of them goes up once more.
//
// One message of a chat is under way at a time: a second one might be stored while the first is refused with
// "try again", and would then stand before it for good. Chats do not wait for each other.

import type { ChatId, Sent, Version, WireError } from "../protocol.js";
import { bodyWithFiles, isWhole, keepsBack, type OutboxFile } from "./attached.js";
import { Backoff, type Dice } from "./backoff.js";
import type { Outgoing, OutboxItem, OutboxPatch, SendState } from "./patch.js";
import { checkBody } from "./size.js";

type Stage = "saving" | "uploading" | "waiting" | "written" | "sent" | "failed";

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
  /** Files that go up now, by their index, with the bytes that are at the server. */
  rising: Map<number, number>;
  /** Why no file moves, if so. */
  hindered?: string;
  /** The server looks at the files. */
  preparing?: true;
  /** Whether the files went up a second time. */
  again?: true;
}

/** An upload to begin. */
export interface Rising {
  clientId: string;
  index: number;
  file: OutboxFile;
}

export function stateOf(entry: Entry): SendState {
  if (entry.sent) return { state: "sent", ...entry.sent };
  if (entry.stage === "failed" && entry.item.failed) return { state: "failed", error: entry.item.failed };
  const { files } = entry.item;
  if (files && !isWhole(files)) {
    const size = files.reduce((sum, it) => sum + it.size, 0);
    const sent = files.reduce((sum, it, index) => sum + (it.done ? it.size : (entry.rising.get(index) ?? 0)), 0);
    return { state: "uploading", sent, size, ...(entry.hindered !== undefined && { hindered: entry.hindered }) };
  }
  return { state: "waiting", written: entry.everWritten, ...(entry.preparing && { preparing: true }) };
}

export const outgoing = (entry: Entry): Outgoing => ({ item: entry.item, state: stateOf(entry) });

/** The request that sends a message, or an album, or forwards one. */
export function sendRequest({ chat_id, client_id, body, reply_to, quote, silent, thread, preview, files, rest, forward }: OutboxItem): { method: "send" | "send_album" | "forward"; params: object } {
  if (forward) {
    const { from, seq, also, origin } = forward;
    const hidden = Object.keys(origin).length === 0;
    return { method: "forward", params: { chat_id, from, messages: [{ client_id, seq }, ...(also ?? [])], ...(hidden && { hide_origin: true }) } };
  }
  const own = bodyWithFiles(body, files, 0);
  const reply = { ...(reply_to !== undefined && { reply_to }), ...(silent && { silent }), ...(thread !== undefined && { thread }) };
  if (!rest?.length) return { method: "send", params: { chat_id, client_id, body: own, ...reply, ...(quote && { quote }), ...(preview && { preview: preview.url }) } };
  const others = rest.map((it, index) => ({ client_id: it.client_id, body: bodyWithFiles(it.body, files, index + 1) }));
  return { method: "send_album", params: { chat_id, items: [{ client_id, body: own }, ...others], ...reply } };
}

const entryOf = (item: OutboxItem, stage: Stage): Entry => ({
  item,
  stage,
  everWritten: false,
  notBefore: 0,
  backoff: new Backoff(),
  tickets: [],
  rising: new Map(),
});

/** Where one that is kept goes on. */
const after = (item: OutboxItem): Stage => (isWhole(item.files) ? "waiting" : "uploading");

/** What happened to a file on its way up. */
export type FileStep =
  /** The server has named it. */
  | { at: "begun"; id: string }
  /** So many bytes are at the server. */
  | { at: "sent"; bytes: number }
  /** Nothing moves at the moment; it goes on by itself. */
  | { at: "hindered"; code: string }
  /** The server does not know it any more: it begins anew. */
  | { at: "anew" }
  | { at: "done"; id: string }
  /** It ended without a fault of its own: it is begun again later. */
  | { at: "paused" };

/** How long a file rests that could not be begun, in milliseconds. */
const PAUSE = 5_000;

/** How a message stands that a store had kept. */
export const asKept = (item: OutboxItem): Outgoing => outgoing({ ...entryOf(item, item.failed ? "failed" : after(item)), everWritten: true });

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
      ...entryOf(item, item.failed ? "failed" : after(item)),
      everWritten: !item.failed && isWhole(item.files),
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
    if (entry?.stage === "saving") this.#move(entry, after(entry.item));
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
    const rising = new Set<ChatId>();
    let found: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.stage === "written") written += 1;
      // Words do not wait for pictures, and nothing for what takes long; small files keep their order.
      if (entry.stage === "uploading") {
        if (keepsBack(entry.item.files)) rising.add(entry.item.chat_id);
        continue;
      }
      if (entry.stage === "waiting" && entry.item.files && rising.has(entry.item.chat_id)) continue;
      if (entry.stage === "sent" || entry.stage === "failed" || busy.has(entry.item.chat_id)) continue;
      busy.add(entry.item.chat_id);
      if (!found && entry.stage === "waiting" && entry.notBefore <= now) found = entry;
    }
    if (!found || written >= inFlight) return undefined;
    found.everWritten = true;
    this.#move(found, "written");
    return found.item;
  }

  /** Takes files that may go up now, at most so many at once, marking them. */
  nextUploads(now: number, atOnce: number): Rising[] {
    let free = atOnce - this.#entries.reduce((sum, it) => sum + it.rising.size, 0);
    const found: Rising[] = [];
    for (const entry of this.#entries) {
      if (entry.stage !== "uploading" || entry.notBefore > now) continue;
      for (const [index, file] of (entry.item.files ?? []).entries()) {
        if (file.done || entry.rising.has(index)) continue;
        if (free-- <= 0) return found;
        entry.rising.set(index, 0);
        found.push({ clientId: entry.item.client_id, index, file });
      }
    }
    return found;
  }

  /** Something happened to a file on its way up. Returns the entry when it is to be kept anew. */
  risen(clientId: string, index: number, now: number, to: FileStep): Entry | undefined {
    const entry = this.get(clientId);
    const file = entry?.item.files?.[index];
    if (!entry || !file || entry.stage !== "uploading") return undefined;
    delete entry.hindered;
    if (to.at === "sent" || to.at === "hindered") {
      if (to.at === "sent") entry.rising.set(index, to.bytes);
      else entry.hindered = to.code;
      this.#changed.add(clientId);
      return undefined;
    }
    if (to.at === "paused") {
      entry.rising.delete(index);
      entry.notBefore = now + PAUSE;
      return undefined;
    }
    if (to.at === "done") entry.rising.delete(index);
    const { id: _, ...rest } = file;
    const next: OutboxFile = to.at === "anew" ? rest : { ...file, id: to.id, ...(to.at === "done" && { done: true }) };
    entry.item = { ...entry.item, files: (entry.item.files ?? []).map((it, at) => (at === index ? next : it)) };
    this.#move(entry, after(entry.item));
    return entry;
  }

  /** Whether it is on its way up: only then a failed upload ends it. */
  isRising(clientId: string): boolean {
    return this.get(clientId)?.stage === "uploading";
  }

  /** The server does not have the files any more: they go up once more, if they did not before. */
  upAgain(clientId: string): Entry | undefined {
    const entry = this.get(clientId);
    if (entry?.stage !== "written" || !entry.item.files || entry.again) return undefined;
    entry.again = true;
    entry.item = { ...entry.item, files: entry.item.files.map(({ id: _, done: __, ...file }) => file) };
    this.#move(entry, "uploading");
    return entry;
  }

  /** The bytes of a message's files could not be kept. */
  fleeting(clientId: string): void {
    const entry = this.get(clientId);
    if (!entry?.item.files) return;
    entry.item = { ...entry.item, files: entry.item.files.map((it) => ({ ...it, fleeting: true })) };
    this.#changed.add(clientId);
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
  again(clientId: string, now: number, after: number | undefined, dice: Dice, preparing = false): void {
    const entry = this.get(clientId);
    if (entry?.stage !== "written") return;
    const own = entry.backoff.next(dice);
    entry.notBefore = now + (after ?? own);
    if (preparing) entry.preparing = true;
    else delete entry.preparing;
    this.#move(entry, "waiting");
  }

  /** The server will never take it. */
  failed(clientId: string, error: WireError): Entry | undefined {
    const entry = this.get(clientId);
    if (!entry) return undefined;
    entry.item = { ...entry.item, failed: error };
    entry.rising.clear();
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
    delete entry.again;
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
    const waits = (it: Entry): boolean => it.stage === "waiting" || it.stage === "uploading";
    const times = this.#entries.filter((it) => waits(it) && it.notBefore > now).map((it) => it.notBefore);
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
