// A scrollable stretch of one chat.

import type { Client } from "./client.js";
import type { Outgoing } from "./core/patch.js";
import type { ChatId, Message, Seq } from "./protocol.js";
import type { MessageView } from "./view.js";

/** What changed in a timeline. */
export type TimelineChange =
  /** Rows came at an end, changed in place, or were dropped at an end: what is on the screen keeps its place by seq. */
  | "rows"
  /** The stretch is another one than before. */
  | "moved";

/** Messages asked for at a time. */
const STEP = 50;

/**
 * A stretch of a chat without holes, kept up to date. It begins at the chat's end; `loadOlder`, `loadNewer` and
 * `loadAround` move it. It holds at most `limit` messages (400 unless given): what is loaded at one end pushes out
 * what is at the other. New messages join it while it reaches the end.
 */
export class Timeline {
  readonly chatId: ChatId;
  readonly #client: Client;
  readonly #limit: number;
  readonly #handlers = new Set<(change: TimelineChange) => void>();
  readonly #off: () => void;
  #rows: MessageView[] = [];
  #from: Seq;
  #to: Seq;
  /** Nothing before this is to be had. */
  #start: Seq = 1;
  #turn = 0;
  #loading: Promise<void> | undefined;

  constructor(client: Client, chatId: ChatId, options: { limit?: number } = {}) {
    this.#client = client;
    this.chatId = chatId;
    this.#limit = Math.max(options.limit ?? 400, 100);
    this.#from = this.#to = 1;
    this.#begin();
    this.#off = client.on("*", (event) => {
      if (event.type === "reset") return this.#replaced();
      if (!("chatId" in event) || event.chatId !== chatId) return;
      switch (event.type) {
        case "message":
        case "changed":
          return this.#put(event.message);
        case "reacted":
          if (event.reacted.user_id !== client.me?.id) return;
          return this.#react(event.reacted.seq, event.reacted.emoji);
        case "voted":
          return this.#voted(event.vote.seq);
        case "replaced":
          // What was held may have changed without our hearing of it.
          return this.#replaced();
        case "gone":
          this.#rows = [];
          this.#from = this.#to = 1;
          return this.#tell("moved");
      }
    });
  }

  /** The messages, by seq, without holes. A new array after each change; unchanged messages stay the same objects. */
  get rows(): readonly MessageView[] {
    return this.#rows;
  }

  /** What is on its way in this chat: show it after the rows when `atEnd`. */
  get outgoing(): Outgoing[] {
    const last = this.#rows.at(-1)?.message.seq ?? 0;
    return this.#client.outbox(this.chatId).filter((it) => it.state.state !== "sent" || it.state.seq > last);
  }

  /** Whether there is nothing older. */
  get atStart(): boolean {
    return this.#from <= this.#start;
  }

  /** Whether there is nothing newer. */
  get atEnd(): boolean {
    return this.#to > (this.#client.chat(this.chatId)?.lastSeq ?? 0);
  }

  /** Calls a function after each change. Returns what ends it. */
  onChange(handler: (change: TimelineChange) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Loads older messages at the front; rejects when they are neither cached nor can be asked for. */
  loadOlder(count = STEP): Promise<void> {
    return this.#load(async (current) => {
      if (this.atStart) return;
      const rows = await this.#client.history(this.chatId, this.#from, count, 0);
      if (!current()) return;
      if (rows.length === 0) {
        // What was said before one came in is hidden from one: a page has one message at least, where there is any.
        this.#start = this.#from;
        this.#tell("rows");
      }
      if (rows.at(-1)?.message.seq !== this.#from - 1) return;
      this.#from = rows[0]?.message.seq ?? this.#from;
      this.#rows = [...rows, ...this.#rows];
      const over = this.#rows.length - this.#limit;
      if (over > 0) {
        this.#rows = this.#rows.slice(0, -over);
        this.#to -= over;
      }
      this.#tell("rows");
    });
  }

  /** Loads newer messages at the back, after a jump. */
  loadNewer(count = STEP): Promise<void> {
    return this.#load(async (current) => {
      if (this.atEnd) return;
      const rows = await this.#client.history(this.chatId, this.#to, 0, count);
      if (!current() || rows[0]?.message.seq !== this.#to) return;
      this.#to += rows.length;
      this.#rows = [...this.#rows, ...rows];
      this.#dropFront();
      this.#tell("rows");
    });
  }

  /** Jumps to a message: the stretch is then around it. */
  loadAround(seq: Seq, count = STEP): Promise<void> {
    const held = this.#rows.some((it) => it.message.seq === seq);
    if (held) return Promise.resolve();
    this.#loading = undefined;
    return this.#load(async (current) => {
      const half = Math.max(Math.floor(count / 2), 1);
      const rows = await this.#client.history(this.chatId, seq, half, half);
      if (!current()) return;
      this.#show(rows);
      this.#tell("moved");
    });
  }

  /** Goes back to the chat's end. */
  toEnd(): void {
    if (this.atEnd && this.#rows.length) return;
    this.#begin();
    this.#tell("moved");
  }

  /** Ends it. */
  close(): void {
    this.#turn += 1;
    this.#off();
    this.#handlers.clear();
  }

  #begin(): void {
    this.#turn += 1;
    this.#loading = undefined;
    const held = this.#client.messages(this.chatId).slice(-STEP);
    // While a gap is filled a message may be missing inside the window: show what is behind it.
    let begin = held.length;
    while (begin > 0 && (begin === held.length || held[begin - 1]?.message.seq === (held[begin]?.message.seq ?? 0) - 1)) begin -= 1;
    this.#show(held.slice(begin));
  }

  #show(rows: MessageView[]): void {
    this.#rows = rows;
    this.#start = 1;
    const last = this.#client.chat(this.chatId)?.lastSeq ?? 0;
    this.#from = rows[0]?.message.seq ?? last + 1;
    this.#to = (rows.at(-1)?.message.seq ?? last) + 1;
  }

  /** One at a time; a jump makes those before it void. */
  #load(work: (current: () => boolean) => Promise<void>): Promise<void> {
    if (this.#loading) return this.#loading;
    const turn = ++this.#turn;
    const loading = work(() => this.#turn === turn).finally(() => {
      if (this.#loading === loading) this.#loading = undefined;
    });
    return (this.#loading = loading);
  }

  #put(message: Message): void {
    const index = message.seq - this.#from;
    if (message.seq === this.#to) {
      this.#rows = [...this.#rows, { message, myReaction: undefined }];
      this.#to += 1;
      this.#dropFront();
      // One that came before its turn may be in the window already.
      if (!this.atEnd) {
        for (const next of this.#client.messages(this.chatId)) if (next.message.seq === this.#to) this.#rows.push(next), (this.#to += 1);
      }
    } else if (index >= 0 && message.seq < this.#to) {
      const known = this.#rows[index];
      if (!known || known.message.version >= message.version) return;
      this.#rows = replaced(this.#rows, index, { message, myReaction: known.myReaction });
    } else {
      return;
    }
    this.#tell("rows");
  }

  #react(seq: Seq, emoji: string | undefined): void {
    const index = seq - this.#from;
    const known = index >= 0 ? this.#rows[index] : undefined;
    if (!known || known.myReaction === emoji) return;
    this.#rows = replaced(this.#rows, index, { message: known.message, myReaction: emoji });
    this.#tell("rows");
  }

  /** The row is another object, so that it is drawn anew with `Client.ownVote`. */
  #voted(seq: Seq): void {
    const index = seq - this.#from;
    const known = index >= 0 ? this.#rows[index] : undefined;
    if (!known) return;
    this.#rows = replaced(this.#rows, index, { ...known });
    this.#tell("rows");
  }

  #replaced(): void {
    const anew = (): void => {
      this.#begin();
      this.#tell("moved");
    };
    const around = this.#rows[Math.floor(this.#rows.length / 2)]?.message.seq;
    if (around === undefined || this.atEnd) return anew();
    // Whoever reads somewhere in between stays there: what is shown goes when what takes its place is here.
    const half = Math.max(Math.ceil(this.#rows.length / 2), STEP);
    this.#turn += 1;
    this.#loading = undefined;
    this.#load(async (current) => {
      const rows = await this.#client.history(this.chatId, around, half, half);
      if (!current()) return;
      this.#show(rows);
      this.#tell("moved");
    }).catch(anew);
  }

  #dropFront(): void {
    const over = this.#rows.length - this.#limit;
    if (over <= 0) return;
    this.#rows = this.#rows.slice(over);
    this.#from += over;
  }

  #tell(change: TimelineChange): void {
    for (const handler of [...this.#handlers]) handler(change);
  }
}

function replaced(rows: readonly MessageView[], index: number, row: MessageView): MessageView[] {
  const copy = [...rows];
  copy[index] = row;
  return copy;
}
