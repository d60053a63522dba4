// What a client holds of one chat, and the rule by which a delta fits it. Pure.

import type { ChatDelta, ChatInfo, ChatRow, ChatSnapshot, Member, Message, OwnVote, Page, Reacted, Seq, UserId, Version } from "../protocol.js";
import type { ClientEvent } from "./event.js";
import type { ChatHead, ChatPatch } from "./patch.js";
import { calls } from "./calls.js";

/** Rows beside the window that are kept while a page of history is under way. */
const BESIDE = 2_000;
/** Own votes that are kept. */
const VOTES = 200;
/** Messages that call one and are kept. */
const MENTIONS = 500;

/** How a delta fits what is known: it goes on or overlaps, all of it is known, or something before it is missing. */
export type Fit = "apply" | "known" | "gap";

/** The version rule (R2), for chats and for the user's own things alike. */
export function fit(mine: Version, from: Version, version: Version): Fit {
  if (mine >= version) return "known";
  return from <= mine ? "apply" : "gap";
}

/** Rows of older messages that changed while a page of history was under way: the page may be older than they are. */
interface Beside {
  pages: number;
  /** Some rows found no room: the page cannot be trusted. */
  full: boolean;
  messages: Map<Seq, Message>;
  reacted: Map<Seq, string | null>;
}

interface Dirty {
  replace: boolean;
  members: Set<UserId>;
  reads: Set<UserId>;
  messages: Set<Seq>;
  reacted: Set<Seq>;
  older: Map<Seq, Message>;
  olderReacted: Map<Seq, string | null>;
}

const clean = (replace: boolean): Dirty => ({
  replace,
  members: new Set(),
  reads: new Set(),
  messages: new Set(),
  reacted: new Set(),
  older: new Map(),
  olderReacted: new Map(),
});

/**
 * One chat as the client knows it. The messages are a window at the chat's end; while the client is catching up, a
 * message may be missing inside it, because deltas bring rows by the version of their last change.
 */
export class Chat {
  info: ChatInfo;
  version: Version = 0;
  last_seq: Seq = 0;
  first: Seq = 1;
  others_read: Seq = 0;
  readonly members = new Map<UserId, Member>();
  readonly messages = new Map<Seq, Message>();
  /** The own reactions to messages in the window. Message rows carry only counts (R10). */
  readonly reacted = new Map<Seq, string>();
  /** The own votes in the last polls in which one has voted: of each the one with the greatest turn. */
  votes: ReadonlyMap<Seq, OwnVote> = new Map();
  /** In a group: messages that call one, by a mention or as answers to one's own, by seq. Those that were read may be among them. */
  mentions: readonly Seq[] = [];
  /** How far anybody has read, as far as told. Only grows (R11). */
  readonly reads = new Map<UserId, Seq>();
  #beside: Beside | undefined;
  #dirty: Dirty | undefined;

  constructor(info: ChatInfo) {
    this.info = info;
  }

  /** Begins a chat with its first delta, the one from version 0; nothing when that does not say what the chat is. */
  static begin(delta: ChatDelta): Chat | undefined {
    const info = delta.rows?.find((it) => it.row === "info");
    if (!info) return undefined;
    const chat = new Chat(info);
    chat.#dirty = clean(true);
    return chat;
  }

  /** A chat from scratch (R7). */
  static fromSnapshot(snapshot: ChatSnapshot, me: UserId): Chat {
    const chat = new Chat(snapshot.chat);
    chat.version = snapshot.version;
    chat.last_seq = snapshot.last_seq;
    const seqs = snapshot.rows.filter((it) => it.row === "message").map((it) => it.seq);
    chat.first = Math.min(snapshot.last_seq + 1, ...seqs);
    chat.mentions = snapshot.mentions ?? [];
    chat.#dirty = clean(true);
    // That it was replaced is told as a whole.
    for (const row of snapshot.rows) chat.#take(row, me, []);
    return chat;
  }

  /** What was saved or sent by another tab. */
  static fromPatch(patch: ChatPatch): Chat {
    const chat = new Chat(patch.head.info);
    chat.applyPatch(patch);
    return chat;
  }

  /** The messages held, by seq. */
  rows(): Message[] {
    return [...this.messages.values()].sort((a, b) => a.seq - b.seq);
  }

  /** The last message held. */
  last(): Message | undefined {
    const end = this.messages.get(this.last_seq);
    if (end || this.messages.size === 0) return end;
    return this.messages.get(Math.max(...this.messages.keys()));
  }

  /** Applies a delta that fits, and tells what is new by it. The window keeps its last `window` messages. */
  apply(delta: ChatDelta, me: UserId, window: number, told: ClientEvent[]): void {
    this.version = Math.max(this.version, delta.version);
    this.#touch();
    for (const row of delta.rows ?? []) this.#take(row, me, told);
    this.#trim(window);
  }

  /** Notes that no page is under way any more. */
  pagesLost(): void {
    this.#beside = undefined;
  }

  /** Notes that a page of history was asked for. */
  pageAsked(): void {
    this.#beside ??= { pages: 0, full: false, messages: new Map(), reacted: new Map() };
    this.#beside.pages += 1;
  }

  /** Notes that the page will not come. */
  pageFailed(): void {
    this.#pageDone();
  }

  /**
   * Puts a page into the window if it touches it, so that the window stays without holes (R19).
   * The window may then be longer than usual, until the next delta trims it.
   */
  putPage(page: Page, me: UserId): void {
    for (const vote of page.voted ?? []) this.setVote(vote);
    // Without it the chat was replaced while the page was under way: what changed meanwhile is not known.
    const beside = this.#beside;
    if (!beside) return;
    const head = page.messages[0];
    const tail = page.messages.at(-1);
    const touches = head && tail && head.seq <= this.last_seq && tail.seq + 1 >= this.first;
    if (touches && !beside.full) {
      const [began, newest] = [this.first, this.last_seq];
      const dirty = this.#touch();
      this.first = Math.min(this.first, head.seq);
      const rows = [...page.messages.filter((it) => it.seq <= newest), ...beside.messages.values()];
      for (const message of rows) {
        const known = this.messages.get(message.seq);
        if (message.seq >= this.first && (!known || known.version < message.version)) {
          this.messages.set(message.seq, message);
          dirty.messages.add(message.seq);
        }
      }
      // Inside the window the deltas know better: the page may be older than they are.
      for (const it of page.reacted ?? []) {
        if (it.user_id === me && it.seq < began && it.emoji !== undefined) this.#putReacted(it.seq, it.emoji);
      }
      for (const [seq, emoji] of beside.reacted) {
        if (seq >= this.first) this.#putReacted(seq, emoji);
      }
    }
    this.#pageDone();
  }

  /** Raises a read mark (R11). */
  setRead(userId: UserId, seq: Seq, me: UserId): boolean {
    const mark = this.reads.get(userId) ?? 0;
    const further = seq > mark;
    if (further || !this.reads.has(userId)) {
      this.reads.set(userId, Math.max(seq, mark));
      this.#touch().reads.add(userId);
    }
    if (userId !== me) this.raiseOthersRead(seq);
    return further;
  }

  /** Takes over one's own vote, in whatever order they come. Whether it is news. */
  setVote(vote: OwnVote): boolean {
    const known = this.votes.get(vote.seq);
    if (known && known.turn >= vote.turn) return false;
    const votes = [...this.votes.values()].filter((it) => it.seq !== vote.seq);
    votes.push(vote);
    votes.sort((a, b) => a.seq - b.seq);
    this.#putVotes(votes.slice(-VOTES));
    this.#touch();
    return true;
  }

  #putVotes(votes: readonly OwnVote[]): void {
    this.votes = new Map(votes.map((it) => [it.seq, it]));
  }

  /** Raises the furthest read mark of anybody else. */
  raiseOthersRead(seq: Seq): void {
    if (seq <= this.others_read) return;
    this.others_read = seq;
    this.#touch();
  }

  /** The chat without its rows. */
  head(): ChatHead {
    const { info, version, last_seq, first, others_read, votes, mentions } = this;
    return { info, version, last_seq, first, others_read, ...(votes.size && { votes: [...votes.values()] }), ...(mentions.length > 0 && { mentions }) };
  }

  /** All of the chat, for a store or a tab that knows nothing of it. */
  whole(): ChatPatch {
    return {
      head: this.head(),
      replace: true,
      members: [...this.members],
      reads: [...this.reads],
      messages: this.rows(),
      reacted: [...this.reacted],
    };
  }

  /** What changed since the last time, if anything. */
  takePatch(): ChatPatch | undefined {
    const dirty = this.#dirty;
    if (!dirty) return undefined;
    this.#dirty = undefined;
    if (dirty.replace) return this.whole();
    const patch: ChatPatch = { head: this.head() };
    if (dirty.members.size) patch.members = [...dirty.members].map((id) => [id, this.members.get(id) ?? null]);
    if (dirty.reads.size) patch.reads = [...dirty.reads].map((id) => [id, this.reads.get(id) ?? 0]);
    const rows = [...dirty.messages].map((seq) => this.messages.get(seq)).filter((it) => it !== undefined);
    if (rows.length) patch.messages = rows;
    if (dirty.reacted.size) patch.reacted = [...dirty.reacted].map((seq) => [seq, this.reacted.get(seq) ?? null]);
    if (dirty.older.size) patch.older = [...dirty.older.values()];
    if (dirty.olderReacted.size) patch.olderReacted = [...dirty.olderReacted];
    return patch;
  }

  /** Takes over what another tab or the store says. */
  applyPatch(patch: ChatPatch): void {
    const { head } = patch;
    if (patch.replace) {
      for (const rows of [this.members, this.messages, this.reacted, this.reads]) rows.clear();
    }
    const { votes, mentions, ...rest } = head;
    Object.assign(this, rest);
    this.mentions = mentions ?? [];
    this.#putVotes(votes ?? []);
    for (const [id, member] of patch.members ?? []) {
      if (member) this.members.set(id, member);
      else this.members.delete(id);
    }
    for (const [id, seq] of patch.reads ?? []) this.reads.set(id, seq);
    for (const message of patch.messages ?? []) this.messages.set(message.seq, message);
    for (const [seq, emoji] of patch.reacted ?? []) {
      if (emoji === null) this.reacted.delete(seq);
      else this.reacted.set(seq, emoji);
    }
    for (const seq of this.messages.keys()) if (seq < head.first) this.messages.delete(seq);
    for (const seq of this.reacted.keys()) if (seq < head.first) this.reacted.delete(seq);
  }

  #take(it: ChatRow, me: UserId, told: ClientEvent[]): void {
    const chatId = this.info.id;
    switch (it.row) {
      case "info":
        this.info = it;
        told.push({ type: "chat", chatId });
        break;
      case "member":
        this.#setMember(it, me);
        told.push({ type: "member", chatId, member: it });
        break;
      case "message":
        this.#setMessage(it, me, told, chatId);
        break;
      case "reaction":
        this.setReacted(it, me);
        told.push({ type: "reacted", chatId, reacted: it });
        break;
      case "vote":
        if (this.setVote(it)) told.push({ type: "voted", chatId, vote: it });
        break;
      // A kind from the future: its version is taken with the delta's (R17).
      default:
    }
  }

  #touch(): Dirty {
    return (this.#dirty ??= clean(false));
  }

  #setMember(member: Member, me: UserId): void {
    if (member.read_seq !== undefined) this.setRead(member.user_id, member.read_seq, me);
    if (member.role !== undefined) this.members.set(member.user_id, member);
    else this.members.delete(member.user_id);
    this.#touch().members.add(member.user_id);
  }

  #setMessage(message: Message, me: UserId, told: ClientEvent[], chatId: number): void {
    this.last_seq = Math.max(this.last_seq, message.seq);
    const dirty = this.#touch();
    if (message.seq < this.first) {
      this.#noteCall(message, me);
      if (this.#beside) {
        this.#beside.full ||= this.#beside.messages.size >= BESIDE;
        if (!this.#beside.full) this.#beside.messages.set(message.seq, message);
      }
      dirty.older.set(message.seq, message);
      told.push({ type: "changed", chatId, message });
      return;
    }
    const known = this.messages.get(message.seq);
    if (known && known.version >= message.version) return;
    this.#noteCall(message, me);
    this.messages.set(message.seq, message);
    dirty.messages.add(message.seq);
    told.push({ type: !known ? "message" : "changed", chatId, message });
  }

  /** Notes whether a message calls one, as it is now. */
  #noteCall(message: Message, me: UserId): void {
    const called = this.info.kind === "group" && calls(message, me);
    if (!called && !this.mentions.includes(message.seq)) return;
    const others = this.mentions.filter((seq) => seq !== message.seq);
    const read = this.reads.get(me) ?? 0;
    this.mentions = called ? [...others, message.seq].filter((seq) => seq > read).sort((a, b) => a - b).slice(0, MENTIONS) : others;
  }

  /** Takes over somebody's reaction, of which only the own ones are kept (R10). */
  setReacted(reacted: Reacted, me: UserId): void {
    if (reacted.user_id !== me) return;
    const emoji = reacted.emoji ?? null;
    if (reacted.seq >= this.first) return this.#putReacted(reacted.seq, emoji);
    if (this.#beside) {
      this.#beside.full ||= this.#beside.reacted.size >= BESIDE;
      if (!this.#beside.full) this.#beside.reacted.set(reacted.seq, emoji);
    }
    this.#touch().olderReacted.set(reacted.seq, emoji);
  }

  #putReacted(seq: Seq, emoji: string | null): void {
    if (emoji === null) this.reacted.delete(seq);
    else this.reacted.set(seq, emoji);
    this.#touch().reacted.add(seq);
  }

  #pageDone(): void {
    if (!this.#beside) return;
    this.#beside.pages -= 1;
    if (this.#beside.pages <= 0) this.#beside = undefined;
  }

  #trim(window: number): void {
    const over = this.messages.size - window;
    if (over <= 0) return;
    const seqs = [...this.messages.keys()].sort((a, b) => a - b).slice(0, over);
    const dirty = this.#touch();
    for (const seq of seqs) {
      // A row that changed just now and leaves the window at once still has to reach the cache.
      const message = this.messages.get(seq);
      if (message && dirty.messages.has(seq)) dirty.older.set(seq, message);
      if (dirty.reacted.has(seq)) dirty.olderReacted.set(seq, this.reacted.get(seq) ?? null);
      this.messages.delete(seq);
      this.reacted.delete(seq);
      this.first = seq + 1;
    }
  }
}
