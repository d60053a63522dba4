// Staying in step: welcome, deltas, gaps, differences, snapshots (R2 to R11).

import type { ChatDelta, ChatId, ChatRow, ChatSnapshot, ChatSync, ChatVote, Differences, Epoch, OwnReaction, Read, Sent, User, UserDelta, Version, Welcome, WireError } from "../protocol.js";
import { Backoff, type Dice } from "./backoff.js";
import { Catchup } from "./catchup.js";
import { Chat, fit } from "./chat.js";
import type { ClientEvent } from "./event.js";
import type { KeptItem } from "./items.js";
import { applyOwn, emptyOwn, type Own } from "./own.js";
import type { ChatPatch, Patch, Reset } from "./patch.js";
import { resets } from "./read.js";
import type { Awaited } from "./requests.js";

/** Chats that one `difference` names at most. */
const DIFFERENCE_CHATS = 100;
/** User deltas and read marks kept back. Beyond that they are dropped and asked for. */
const KEPT = 256;

/** The local state that survives the process, besides the outbox. */
export interface State {
  me: User | undefined;
  /** The histories that the versions belong to, of each database. */
  epochs: Epoch[] | undefined;
  own: Own;
  chats: Map<ChatId, Chat>;
}

export const emptyState = (): State => ({ me: undefined, epochs: undefined, own: emptyOwn(), chats: new Map() });

/** What the session does for this part of it. */
export interface SyncHost {
  readonly window: number;
  live(): boolean;
  tell(event: ClientEvent): void;
  ask(awaited: Awaited, method: string, params: unknown): number;
  /** A message of the own user is stored, as its row says. */
  stored(clientId: string, sent: Sent): void;
  /** A chat has reached a version, or is gone. */
  settle(chatId: ChatId, version: Version | undefined): void;
}

interface OwnCatchup {
  kept: UserDelta[];
  target: Version;
  asked: boolean;
  notBefore: number | undefined;
  backoff: Backoff;
  /** Read marks of others that came before the welcome. */
  reads: Read[];
  /** The answer to `hello` did not name all chats: what is not among them is known when the rest has come. */
  partial: boolean;
}

const ownCatchup = (): OwnCatchup => ({ kept: [], target: 0, asked: false, notBefore: undefined, backoff: new Backoff(), reads: [], partial: false });

export class SyncPart {
  readonly state: State;
  readonly #host: SyncHost;
  #catchups = new Map<ChatId, Catchup>();
  /** Chats whose difference is to be asked, in this order. */
  #toAsk: ChatId[] = [];
  #own = ownCatchup();
  #dirty: { reset: Reset | undefined; me: boolean; ownChanged: Set<ChatId>; ownGone: Set<ChatId>; items: Set<string>; own: boolean; gone: Set<ChatId> };

  constructor(state: State, host: SyncHost) {
    this.state = state;
    this.#host = host;
    this.#dirty = { reset: undefined, me: false, ownChanged: new Set(), ownGone: new Set(), items: new Set(), own: false, gone: new Set() };
  }

  /** Whether nothing that is known of is still to be fetched. */
  get inStep(): boolean {
    return this.#catchups.size === 0 && this.#own.target <= this.state.own.version;
  }

  version(chatId: ChatId): Version {
    return this.state.chats.get(chatId)?.version ?? 0;
  }

  /** The connection is gone: what was kept back or asked comes with the next welcome. */
  lost(): void {
    for (const chat of this.state.chats.values()) chat.pagesLost();
    this.#catchups.clear();
    this.#toAsk = [];
    this.#own = ownCatchup();
  }

  /** Somebody has another name: of oneself it is kept here. */
  user(user: User): void {
    if (user.id !== this.state.me?.id) return;
    this.state.me = user;
    this.#dirty.me = true;
  }

  welcome(welcome: Welcome): void {
    const { sync } = welcome;
    const { state } = this;
    state.me = welcome.user;
    this.#dirty.me = true;
    if (sync.reset?.length) this.#reset({ own: resets(sync, "people"), chats: resets(sync, "chats") });
    state.epochs = sync.epochs;
    for (const chat of sync.chats) {
      if (chat.kind === "snapshot") {
        this.snapshot(chat.snapshot);
      } else {
        this.delta(chat.delta);
        if (chat.more) this.#wish(chat.delta.chat_id);
      }
    }
    for (const chatId of sync.behind ?? []) this.#wish(chatId);
    this.#own.partial = true;
    this.#ownAnswer(sync.user);
    for (const [chatId, seq] of sync.others_read ?? []) state.chats.get(chatId)?.raiseOthersRead(seq);
    for (const read of this.#own.reads.splice(0)) {
      state.chats.get(read.chat_id)?.setRead(read.user_id, read.seq, welcome.user.id);
    }
    for (const chatId of [...this.#catchups.keys()]) this.#settle(chatId);
  }

  delta(delta: ChatDelta): void {
    const chatId = delta.chat_id;
    if (!this.state.me || !this.#host.live()) return this.#catchup(chatId).keep(delta);
    switch (fit(this.version(chatId), delta.from, delta.version)) {
      case "known":
        return;
      case "gap":
        this.#catchup(chatId).keep(delta);
        break;
      case "apply":
        // It may not say what the chat is: then a snapshot is needed.
        if (!this.#apply(delta)) this.#catchup(chatId).wished = true;
    }
    this.#settle(chatId);
  }

  snapshot(snapshot: ChatSnapshot): void {
    const me = this.state.me?.id;
    if (me === undefined) return;
    const chatId = snapshot.chat.id;
    const known = this.state.chats.get(chatId);
    if (known && known.version >= snapshot.version) return;
    const chat = Chat.fromSnapshot(snapshot, me);
    // Read marks only grow, and may have come on their own while the snapshot was under way.
    for (const [userId, seq] of known?.reads ?? []) chat.setRead(userId, seq, me);
    if (known) chat.raiseOthersRead(known.others_read);
    // Votes go by their turns.
    for (const vote of known?.votes.values() ?? []) chat.setVote(vote);
    this.state.chats.set(chatId, chat);
    this.#dirty.gone.delete(chatId);
    this.#host.tell({ type: "replaced", chatId });
    this.#acknowledge(snapshot.rows, me);
    this.#host.settle(chatId, chat.version);
    if (this.#host.live()) this.#settle(chatId);
  }

  ownDelta(delta: UserDelta): void {
    const own = this.#own;
    own.target = Math.max(own.target, delta.version);
    if (own.kept.length < KEPT || (this.#host.live() && delta.from <= this.state.own.version)) own.kept.push(delta);
    if (this.#host.live()) this.#settleOwn();
  }

  read(read: Read): void {
    const me = this.state.me?.id;
    if (me === undefined || !this.#host.live()) {
      if (this.#own.reads.length < KEPT) this.#own.reads.push(read);
      return;
    }
    if (this.state.chats.get(read.chat_id)?.setRead(read.user_id, read.seq, me)) {
      this.#host.tell({ type: "read", chatId: read.chat_id, userId: read.user_id, seq: read.seq });
    }
  }

  /** One's own reaction, told at once. Before the welcome it may be dropped: it comes again with the counts. */
  reacted({ chat_id: chatId, reacted }: OwnReaction): void {
    const me = this.state.me?.id;
    const chat = this.state.chats.get(chatId);
    if (me === undefined || !chat || !this.#host.live()) return;
    chat.setReacted(reacted, me);
    this.#host.tell({ type: "reacted", chatId, reacted });
  }

  /** One's own vote, told at once. Before the welcome it may be dropped: its poll's row comes with it. */
  voted({ chat_id: chatId, vote }: ChatVote): void {
    const chat = this.state.chats.get(chatId);
    if (!chat || !this.#host.live() || !chat.setVote(vote)) return;
    this.#host.tell({ type: "voted", chatId, vote });
  }

  /** Asks for the chats that wait, many in one request; false when none does. */
  askMore(): boolean {
    const chats: [ChatId, Version][] = [];
    while (chats.length < DIFFERENCE_CHATS) {
      const chatId = this.#toAsk.shift();
      if (chatId === undefined) break;
      const from = this.version(chatId);
      const catchup = this.#catchups.get(chatId);
      if (!catchup) continue;
      catchup.queued = false;
      if (catchup.asked) continue;
      if (!catchup.behind(from)) {
        this.#catchups.delete(chatId);
        continue;
      }
      catchup.asked = true;
      chats.push([chatId, from]);
    }
    if (chats.length === 0) return false;
    this.#host.ask({ for: "difference", chats }, "difference", { chats });
    return true;
  }

  differences(now: number, dice: Dice, asked: [ChatId, Version][], reply: Differences | undefined): void {
    const syncs = new Map(reply?.chats.map((sync) => [sync.kind === "delta" ? sync.delta.chat_id : sync.snapshot.chat.id, sync]));
    // Who is behind without anything having come would be asked for at once and for ever.
    const behind = new Set(syncs.size > 0 ? reply?.behind : []);
    const gone = new Set(reply?.gone);
    for (const [chatId, from] of asked) {
      // There is no such chat for us. If we were removed from it, `me` says so.
      if (gone.has(chatId)) this.#catchups.delete(chatId);
      else if (behind.has(chatId)) {
        const catchup = this.#catchups.get(chatId);
        if (catchup) catchup.asked = false;
        this.#settle(chatId);
      } else this.#difference(now, dice, chatId, from, syncs.get(chatId));
    }
  }

  differencesRefused(now: number, dice: Dice, asked: [ChatId, Version][], error: WireError): void {
    for (const [chatId] of asked) this.#differenceRefused(now, dice, chatId, error);
  }

  #difference(now: number, dice: Dice, chatId: ChatId, from: Version, reply: ChatSync | undefined): void {
    const asked = this.#catchups.get(chatId);
    if (!asked) return;
    asked.asked = false;
    // Whatever was wished for is in this answer, or its `more` is the new wish.
    asked.wished = false;
    // Not to be asked again from within the next lines.
    asked.queued = true;
    let more = true;
    if (reply?.kind === "snapshot") {
      this.snapshot(reply.snapshot);
      more = false;
    } else if (reply?.kind === "delta") {
      this.delta(reply.delta);
      more = reply.more;
    }
    const mine = this.version(chatId);
    const catchup = this.#catchup(chatId);
    catchup.queued = false;
    catchup.wished ||= more;
    if (mine > from) catchup.backoff.reset();
    // The server has not reached what it told of, or we do not understand it: no hurry then.
    else if (catchup.behind(mine)) catchup.notBefore = now + catchup.backoff.next(dice);
    this.#settle(chatId);
  }

  #differenceRefused(now: number, dice: Dice, chatId: ChatId, error: WireError): void {
    const catchup = this.#catchups.get(chatId);
    if (!catchup) return;
    catchup.asked = false;
    if (error.action === "retry" || error.action === "resume") {
      const own = catchup.backoff.next(dice);
      catchup.notBefore = now + (error.retry_after_ms ?? own);
    } else {
      // It can never be answered.
      this.#catchups.delete(chatId);
    }
  }

  askOwn(now: number): void {
    const own = this.#own;
    const mine = this.state.own.version;
    if (own.asked || own.target <= mine || (own.notBefore !== undefined && own.notBefore > now)) return;
    own.asked = true;
    own.notBefore = undefined;
    this.#host.ask({ for: "user_difference" }, "user_difference", { from: mine });
  }

  ownDifference(now: number, dice: Dice, reply: UserDelta | undefined): void {
    const own = this.#own;
    own.asked = false;
    const before = this.state.own.version;
    if (reply) {
      this.#ownAnswer(reply);
    }
    if (this.state.own.version > before) own.backoff.reset();
    else if (own.target > this.state.own.version) own.notBefore = now + own.backoff.next(dice);
  }

  ownDifferenceRefused(now: number, dice: Dice, error: WireError): void {
    this.#own.asked = false;
    const wait = this.#own.backoff.next(dice);
    this.#own.notBefore = now + (error.retry_after_ms ?? wait);
  }

  /** Asks again where a wait is over. */
  tick(now: number): void {
    for (const [chatId, catchup] of [...this.#catchups]) {
      if (catchup.notBefore === undefined || catchup.notBefore > now) continue;
      catchup.notBefore = undefined;
      this.#settle(chatId);
    }
  }

  deadline(): number {
    const times = [...this.#catchups.values()].map((it) => it.notBefore ?? Infinity);
    return Math.min(...times, this.#own.notBefore ?? Infinity);
  }

  /** What changed since the last time. */
  takePatch(): Patch {
    const dirty = this.#dirty;
    this.#dirty = { reset: undefined, me: false, ownChanged: new Set(), ownGone: new Set(), items: new Set(), own: false, gone: new Set() };
    const { state } = this;
    const patch: Patch = {};
    if (dirty.reset) patch.reset = dirty.reset;
    if (dirty.me && state.me) patch.me = state.me;
    if ((dirty.me || dirty.reset) && state.epochs !== undefined) patch.epochs = state.epochs;
    if (dirty.own) {
      const chats = [...dirty.ownChanged].map((id) => state.own.chats.get(id)).filter((it) => it !== undefined);
      const items = [...dirty.items].map((place): [string, KeptItem | undefined] => [place, state.own.items.get(place)]);
      patch.own = { version: state.own.version, missedCalls: state.own.missedCalls, chats, gone: [...dirty.ownGone], items };
    }
    if (dirty.gone.size) patch.gone = [...dirty.gone];
    const chats: ChatPatch[] = [];
    for (const chat of state.chats.values()) {
      const it = chat.takePatch();
      if (it) chats.push(it);
    }
    if (chats.length) patch.chats = chats;
    return patch;
  }

  /** Forgets what the databases hold that have another history (R8). */
  #reset(reset: Reset): void {
    const { state } = this;
    const dirty = this.#dirty;
    // A client that knew nothing has nothing to be told of.
    if (state.epochs !== undefined) this.#host.tell({ type: "reset" });
    if (reset.own) {
      Object.assign(state.own, { version: 0, missedCalls: 0 });
      state.own.chats.clear();
      Object.assign(dirty, { own: true, ownChanged: new Set(), ownGone: new Set() });
    }
    if (reset.chats) {
      state.chats.clear();
      dirty.gone = new Set();
    }
    dirty.reset = { own: reset.own || dirty.reset?.own === true, chats: reset.chats || dirty.reset?.chats === true };
  }

  #catchup(chatId: ChatId): Catchup {
    let catchup = this.#catchups.get(chatId);
    if (!catchup) this.#catchups.set(chatId, (catchup = new Catchup()));
    return catchup;
  }

  /** Applies what is kept back as far as it goes, and asks for the rest. */
  #settle(chatId: ChatId): void {
    if (!this.state.me) return;
    for (;;) {
      const delta = this.#catchups.get(chatId)?.take(this.version(chatId));
      if (!delta) break;
      if (!this.#apply(delta)) {
        this.#catchup(chatId).wished = true;
        break;
      }
    }
    const catchup = this.#catchups.get(chatId);
    if (!catchup) return;
    if (!catchup.behind(this.version(chatId))) {
      if (!catchup.asked) this.#catchups.delete(chatId);
    } else if (!catchup.asked && !catchup.queued && catchup.notBefore === undefined) {
      catchup.queued = true;
      this.#toAsk.push(chatId);
    }
  }

  /** Applies a delta that fits; false when it cannot begin a chat, so that a snapshot is needed. */
  #apply(delta: ChatDelta): boolean {
    const me = this.state.me?.id;
    if (me === undefined) return false;
    let chat = this.state.chats.get(delta.chat_id);
    if (!chat) {
      chat = Chat.begin(delta);
      if (!chat) return false;
      this.state.chats.set(delta.chat_id, chat);
      this.#dirty.gone.delete(delta.chat_id);
    }
    const told: ClientEvent[] = [];
    chat.apply(delta, me, this.#host.window, told);
    for (const event of told) this.#host.tell(event);
    this.#acknowledge(delta.rows ?? [], me);
    this.#host.settle(delta.chat_id, chat.version);
    return true;
  }

  /** The user's own messages among rows: what came back was stored (R13). */
  #acknowledge(rows: ChatRow[], me: number): void {
    for (const it of rows) {
      if (it.row !== "message" || it.sender !== me) continue;
      this.#host.stored(it.client_id, { seq: it.seq, version: it.version, sent_at: it.sent_at });
    }
  }

  /** Notes that a chat has something that is not known here. */
  #wish(chatId: ChatId): void {
    this.#catchup(chatId).wished = true;
    if (this.#host.live()) this.#settle(chatId);
  }

  #settleOwn(): void {
    const own = this.#own;
    const { state } = this;
    for (;;) {
      const mine = state.own.version;
      own.kept = own.kept.filter((it) => fit(mine, it.from, it.version) !== "known");
      const index = own.kept.findIndex((it) => fit(mine, it.from, it.version) === "apply");
      const delta = own.kept.splice(index, index < 0 ? 0 : 1)[0];
      if (!delta) break;
      const moved = applyOwn(state.own, delta);
      this.#dirty.own = true;
      for (const chatId of moved.gone) {
        this.#dirty.ownGone.add(chatId);
        this.#dirty.ownChanged.delete(chatId);
        this.#forget(chatId);
      }
      if (moved.missedCalls) this.#host.tell({ type: "missed_calls", count: state.own.missedCalls });
      for (const chatId of moved.changed) {
        this.#dirty.ownChanged.add(chatId);
        this.#dirty.ownGone.delete(chatId);
        this.#host.tell({ type: "chat", chatId });
      }
      for (const place of moved.places) this.#dirty.items.add(place);
      for (const item of moved.items) this.#host.tell({ type: "item", item });
    }
    // Chats that we are in and do not hold: a delta from 0 may be on its way, but a snapshot never harms.
    for (const chatId of state.own.chats.keys()) if (!state.chats.has(chatId)) this.#wish(chatId);
  }

  /** Takes an answer of the server: when it says `more`, there is at least one version after it. */
  #ownAnswer(delta: UserDelta): void {
    const own = this.#own;
    own.target = Math.max(own.target, delta.more ? delta.version + 1 : delta.version);
    own.kept.unshift(delta);
    this.#settleOwn();
    if (!own.partial || delta.more) return;
    own.partial = false;
    // A chat that we hold and are not in was left while we were away.
    const { chats, own: mine } = this.state;
    for (const chatId of [...chats.keys()]) if (!mine.chats.has(chatId)) this.#forget(chatId);
  }

  #forget(chatId: ChatId): void {
    this.#catchups.delete(chatId);
    this.#host.settle(chatId, undefined);
    if (!this.state.chats.delete(chatId)) return;
    this.#dirty.gone.add(chatId);
    this.#host.tell({ type: "gone", chatId });
  }
}
