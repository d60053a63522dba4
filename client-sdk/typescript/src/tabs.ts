// The tabs of a browser share one connection and one store.
//
// The tab that holds the lock leads: it has the connection, and writes the store. The others keep a copy of its view,
// by the changes that it tells over a BroadcastChannel, and ask it for everything else. When the leading tab goes,
// the lock falls to another one, which goes on from its copy. What was asked and not answered is asked again:
// every command may be sent twice, and messages keep their client id, so nothing is lost or doubled.
//
// A tab that leads may sleep: phones suspend it with the lock in its hand. Whoever is looked at asks the leader for a sign of
// life, and takes the lock away from one that gives none; a leader that wakes and has lost it follows.
//
// Not a SharedWorker: Chrome for Android has none.

import type { Backend, Op } from "./backend.js";
import { newClientId } from "./commands.js";
import { Chat } from "./core/chat.js";
import type { ClientEvent } from "./core/event.js";
import { placeOfItem, type KeptItem } from "./core/items.js";
import { asKept } from "./core/outbox.js";
import type { ChatPatch, Outgoing, OutboxItem, Patch } from "./core/patch.js";
import { ChaparError, refusalError, stopError } from "./error.js";
import { Host, type Change, type HostOptions } from "./host.js";
import type { Epoch, MyChat, User } from "./protocol.js";
import { MemoryStore } from "./store/memory.js";
import type { Saved } from "./store/store.js";
import { applyChange, stateOf, type View } from "./view.js";

/** How long the leading tab may take to answer, in milliseconds: a little longer than the server's time. */
const ANSWER = 35_000;
/** Removed messages that are remembered, so that a late look into the store does not bring them back. */
const REMOVED = 1_000;
/** How often a tab that is looked at asks the leader for a sign of life, in milliseconds. */
const ASK_EVERY = 2_500;
/** So many questions in a row without an answer: it sleeps. Counted and not timed, as the one who asks may have slept, too. */
const UNANSWERED = 4;
/** How long a user that was asked for is not asked for again, in milliseconds. */
const WANTED_FOR = 15 * 60_000;

/** A view as it crosses between tabs. */
interface Whole {
  me: User | undefined;
  epochs: Epoch[] | undefined;
  own: { version: number; missedCalls: number; chats: MyChat[]; items: [string, KeptItem][] };
  chats: ChatPatch[];
  rest: Omit<View, "state">;
}

type Said =
  /** A tab that came asks for the leader's view. */
  | { say: "who" }
  /** A tab follows a leader that may not know of it. */
  | { say: "here" }
  /** Whether the leader lives, and that it does. */
  | { say: "alive?" }
  | { say: "alive"; leader: string }
  /** The leader's view, for all who have none or another leader's. */
  | { say: "state"; leader: string; number: number; whole: Whole }
  /** The next change. */
  | { say: "change"; leader: string; number: number; change: Change }
  | { say: "op"; from: string; id: number; op: Op }
  | { say: "reply"; to: string; id: number; ok?: unknown; error?: ReturnType<ChaparError["toJSON"]> };

interface Pending {
  op: Op;
  resolve: (reply: unknown) => void;
  reject: (error: unknown) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** The leader's outbox has had it: from then on the leader's word counts. */
  seen: boolean;
}

/** What of the browser is used; tests pass their own. */
export interface TabsPlatform {
  channel(name: string): BroadcastChannel;
  /**
   * Waits for the lock, and holds it until the promise that `held` returns is settled. Rejects when it is taken away meanwhile;
   * `steal` takes it away from whoever holds it.
   */
  lock(name: string, options: { signal: AbortSignal } | { steal: true }, held: () => Promise<void>): Promise<void>;
  /** Whether the person looks at this tab. */
  readonly visible: boolean;
}

/** The browser's own, where it can: Web Locks exist in secure contexts only. */
export function browserTabs(): TabsPlatform | undefined {
  const locks = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
  // Node has both, too, and no tabs.
  if (!locks || typeof BroadcastChannel === "undefined" || typeof document === "undefined") return undefined;
  return {
    channel: (name) => new BroadcastChannel(name),
    lock: (name, options, held) => locks.request(name, options, held) as Promise<void>,
    get visible() {
      return document.visibilityState !== "hidden";
    },
  };
}

export class Tabs implements Backend {
  view: View;
  readonly #options: Omit<HostOptions, "onChange">;
  readonly #tell: (events: ClientEvent[]) => void;
  readonly #tab = newClientId();
  readonly #channel: BroadcastChannel;
  readonly #platform: TabsPlatform;
  readonly #lockName: string;
  /** Ends the waiting for the lock. */
  #waiting = new AbortController();
  #host: Host | undefined;
  #release: (() => void) | undefined;
  /** The leader whose view this is a copy of, and the number of its last change. */
  #leader: string | undefined;
  #number = 0;
  #lastId = 0;
  #pending = new Map<number, Pending>();
  #removed = new Set<string>();
  /** Users that the leader was asked for, and when. */
  #wanted = new Map<number, number>();
  /** Whether another tab was ever heard: as long as there is none, nobody listens to what changes. */
  #others = false;
  /** Questions to the leader since its last word. */
  #unanswered = 0;
  /** Whether the leader was asked for its view and has not answered yet. */
  #asked = false;
  readonly #watch: ReturnType<typeof setInterval>;
  #closed = false;

  constructor(platform: TabsPlatform, name: string, options: Omit<HostOptions, "onChange">, view: View, tell: (events: ClientEvent[]) => void) {
    this.#options = options;
    this.view = view;
    this.#tell = tell;
    this.#platform = platform;
    this.#lockName = `chapar:${name}`;
    this.#channel = platform.channel(this.#lockName);
    this.#channel.onmessage = ({ data }) => this.#hear(data as Said);
    this.#askWho();
    this.#queue();
    this.#watch = setInterval(() => this.#checkLeader(), ASK_EVERY);
  }

  /** Waits for the lock, or takes it. */
  #queue(steal = false): void {
    this.#waiting.abort();
    this.#waiting = new AbortController();
    let granted = false;
    const held = (): Promise<void> => {
      granted = true;
      return this.#lead();
    };
    this.#platform.lock(this.#lockName, steal ? { steal: true } : { signal: this.#waiting.signal }, held).catch((error: unknown) => {
      if (this.#closed) return;
      // Another tab took it, because this one did not answer.
      if (granted) return this.#follow();
      // One that gave up the waiting to take it; or a browser that blocks storage refuses locks, too: then each tab is alone.
      if ((error as { name?: string } | undefined)?.name !== "AbortError") void this.#lead();
    });
  }

  /** Where nobody leads that answers, the tab that the person looks at takes over. */
  #checkLeader(): void {
    if (this.#closed || this.#host || !this.#platform.visible) return void (this.#unanswered = 0);
    if (this.#unanswered >= UNANSWERED) {
      this.#unanswered = 0;
      return this.#queue(true);
    }
    this.#unanswered += 1;
    // What was asked and lost is asked again.
    this.#asked = false;
    this.#post({ say: "alive?" });
  }

  /** Whether this tab holds the connection. */
  get leads(): boolean {
    return this.#host !== undefined;
  }

  do(op: Op): Promise<unknown> {
    if (this.#closed) return Promise.reject(stopError({ reason: "closed" }));
    // Asked for each line that is shown, and nobody waits for the answer: not worth a message when all are known.
    if (op.op === "users" && this.#host) return this.#host.do(op);
    if (op.op === "users") {
      const now = performance.now();
      const unknown = op.userIds.filter((id) => now - (this.#wanted.get(id) ?? -Infinity) > WANTED_FOR);
      if (unknown.length === 0) return Promise.resolve();
      for (const id of unknown) this.#wanted.set(id, now);
    }
    if (op.op === "abandon") {
      for (const [id, pending] of this.#pending) {
        if (pending.op.op === "request" && pending.op.key === op.key) this.#answer(id, undefined, refusalError({ reason: "cancelled" }));
      }
      if (!this.#host && !this.#leader) return Promise.resolve();
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#pending.delete(id);
        reject(new ChaparError("timeout", "the leading tab does not answer", "retry"));
      };
      // A message is waited for without end: it is in the view until it is answered.
      const timer = op.op === "send" || this.#host ? undefined : setTimeout(late, ANSWER);
      // Kept also where this tab leads: whoever takes over from it is asked again.
      this.#pending.set(id, { op, resolve, reject, timer, seen: false });
      if (this.#host) return this.#doFor(this.#tab, id, op, this.#host);
      if (op.op === "send") this.#showSending(op.item);
      if (op.op === "preference") this.view.preferences.set(op.key, op.value);
      if (this.#leader) this.#post({ say: "op", from: this.#tab, id, op });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.abort();
    clearInterval(this.#watch);
    const led = this.#host !== undefined;
    await this.#host?.close();
    this.#release?.();
    if (!led) {
      this.view.connection = { state: "stopped", stop: { reason: "closed" } };
      this.#tell([{ type: "connection", connection: this.view.connection }]);
    }
    this.#channel.close();
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(stopError({ reason: "closed" }));
    }
    this.#pending.clear();
  }

  /** Saves what changed, if this tab leads. */
  async save(): Promise<void> {
    await this.#host?.save();
  }

  #post(said: Said): void {
    if (!this.#closed) this.#channel.postMessage(said);
  }

  #askWho(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#post({ say: "who" });
  }

  #hear(said: Said): void {
    if (this.#closed) return;
    this.#others = true;
    if ("leader" in said) this.#unanswered = 0;
    switch (said.say) {
      case "alive?":
        if (this.#host) this.#post({ say: "alive", leader: this.#tab });
        return;
      case "alive":
        // One whose view we never had, or of which something is missing.
        if (!this.#host && said.leader !== this.#leader) this.#askWho();
        return;
      case "who":
        if (this.#host) this.#sayState();
        return;
      case "state":
        return this.#takeState(said.leader, said.number, said.whole);
      case "change":
        return this.#takeChange(said.leader, said.number, said.change);
      case "op":
        if (this.#host) this.#doFor(said.from, said.id, said.op, this.#host);
        return;
      case "reply":
        if (said.to === this.#tab) this.#answer(said.id, said.ok, said.error && ChaparError.from(said.error));
    }
  }

  // ---- Leading -----------------------------------------------------------------------------------------------------

  /** The lock is ours: from now on this tab has the connection. Resolves when it is closed. */
  async #lead(): Promise<void> {
    if (this.#closed || this.#host) return;
    let options = this.#options;
    let saved: Saved | undefined;
    try {
      saved = await options.store.load();
    } catch {
      // As on a phone that slept: the store is gone for this page. What is held here goes on, and nothing is kept.
      options = { ...options, store: new MemoryStore() };
      this.view.persistent = false;
    }
    const { store } = options;
    if (this.#closed) return;
    if (saved === undefined) {
      saved = await store.load();
    } else if (this.#leader === undefined) {
      // Nobody led before: what this tab read when it opened may be older than what is there now.
      Object.assign(this.view, { state: stateOf(saved), token: this.view.token ?? saved.token, outbox: [] });
    } else if (this.view.persistent) {
      const patch = ahead(saved, this.view);
      await store.save([patch], []).catch(() => (this.view.persistent = false));
    }
    const items = new Map(saved.outbox.filter((it) => !this.#removed.has(it.client_id)).map((it) => [it.client_id, it]));
    for (const { item } of this.view.outbox) items.set(item.client_id, item);
    for (const { op } of this.#pending.values()) {
      if (op.op !== "send") continue;
      // What was given here is given again, with what the other leader knew of its files: they go on where they stood.
      const known = items.get(op.item.client_id);
      if (known?.files) op.item = { ...op.item, files: known.files };
      items.delete(op.item.client_id);
    }
    this.view.outbox = [...items.values()].map(asKept);
    this.#leader = this.#tab;
    this.#number = 0;
    const released = new Promise<void>((resolve) => (this.#release = resolve));
    this.#host = new Host({ ...options, onChange: (change) => this.#publish(change) }, this.view);
    this.#sayState();
    this.#tell([{ type: "reset" }, { type: "connection", connection: this.view.connection }]);
    for (const [id, { op }] of [...this.#pending]) this.#doFor(this.#tab, id, op, this.#host);
    await released;
  }

  /** Another tab leads from now on: what was asked here and not answered is asked of it, as soon as it shows itself. */
  #follow(): void {
    const host = this.#host;
    if (!host) return;
    this.#host = undefined;
    this.#release?.();
    host.retire();
    this.#leader = undefined;
    this.view.connection = { state: "connecting" };
    this.#tell([{ type: "connection", connection: this.view.connection }]);
    this.#askWho();
    this.#queue();
  }

  #publish(change: Change): void {
    this.#number += 1;
    if (change.whole) this.#sayState();
    else if (this.#others) this.#post({ say: "change", leader: this.#tab, number: this.#number, change });
    this.#tell(change.events);
  }

  #sayState(): void {
    const { state, ...rest } = this.view;
    const { me, epochs, own } = state;
    const whole: Whole = {
      me,
      epochs,
      own: { version: own.version, missedCalls: own.missedCalls, chats: [...own.chats.values()], items: [...own.items] },
      chats: [...state.chats.values()].map((chat) => chat.whole()),
      rest,
    };
    this.#post({ say: "state", leader: this.#tab, number: this.#number, whole });
  }

  #doFor(from: string, id: number, op: Op, host: Host): void {
    const reply = (ok: unknown, error?: ChaparError): void => {
      if (from === this.#tab) this.#answer(id, ok, error);
      else this.#post({ say: "reply", to: from, id, ok, ...(error && { error: error.toJSON() }) });
    };
    host.do(op).then(
      (ok) => (this.#host === host ? reply(ok) : undefined),
      (error: unknown) => this.#host === host && reply(undefined, error instanceof ChaparError ? error : new ChaparError("internal", String(error))),
    );
  }

  // ---- Following ---------------------------------------------------------------------------------------------------

  #takeState(leader: string, number: number, whole: Whole): void {
    // A state that we follow already was meant for another tab.
    if (this.#host || (leader === this.#leader && number <= this.#number)) return;
    this.#asked = false;
    const another = leader !== this.#leader;
    this.#leader = leader;
    this.#number = number;
    const { me, epochs, own, chats, rest } = whole;
    const state = {
      me,
      epochs,
      own: { ...own, chats: new Map(own.chats.map((it) => [it.chat_id, it])), items: new Map(own.items) },
      chats: new Map(chats.map((it) => [it.head.info.id, Chat.fromPatch(it)])),
    };
    this.view = { state, ...rest };
    this.#mergeSending();
    if (another) {
      this.#post({ say: "here" });
      this.#wanted.clear();
      this.#askAgain();
    }
    this.#tell([{ type: "reset" }, { type: "connection", connection: rest.connection }]);
  }

  #takeChange(leader: string, number: number, change: Change): void {
    if (this.#host) return;
    if (leader !== this.#leader || number !== this.#number + 1) {
      // Something is missing: a tab that slept, or a leader whose view we never had.
      if (leader !== this.#leader || number > this.#number) this.#askWho();
      return;
    }
    this.#number = number;
    const before = this.view.outbox;
    applyChange(this.view, change);
    if (change.events.some((it) => it.type === "users" && it.users.length === 0)) this.#wanted.clear();
    if (change.patch.outbox) {
      const now = new Set(this.view.outbox.map((it) => it.item.client_id));
      for (const { item } of before) if (!now.has(item.client_id)) this.#remember(item.client_id);
      this.#mergeSending();
    }
    this.#tell(change.events);
  }

  #remember(clientId: string): void {
    this.#removed.add(clientId);
    if (this.#removed.size > REMOVED) for (const first of this.#removed) return void this.#removed.delete(first);
  }

  #askAgain(): void {
    for (const [id, it] of this.#pending) {
      it.seen = false;
      this.#post({ say: "op", from: this.#tab, id, op: it.op });
    }
  }

  #answer(id: number, ok: unknown, error: ChaparError | undefined): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (error) pending.reject(error);
    else pending.resolve(ok);
    if (pending.op.op === "send" && !this.#host && !pending.seen) {
      const { client_id } = pending.op.item;
      this.view.outbox = this.view.outbox.filter((it) => it.item.client_id !== client_id);
    }
  }

  #showSending(item: OutboxItem): void {
    this.#mergeSending();
    this.#tell([{ type: "outbox", chatId: item.chat_id, clientId: item.client_id, state: asGiven(item).state }]);
  }

  /** Puts what this tab sends and the leader has not shown yet at the end of the outbox. */
  #mergeSending(): void {
    const shown = new Set(this.view.outbox.map((it) => it.item.client_id));
    const more: Outgoing[] = [];
    for (const pending of this.#pending.values()) {
      if (pending.op.op !== "send") continue;
      const { item } = pending.op;
      if (shown.has(item.client_id)) pending.seen = this.#leader !== undefined;
      else if (!pending.seen) more.push(asGiven(item));
    }
    if (more.length) this.view.outbox = [...this.view.outbox, ...more];
  }
}

/** A message that the leading tab has not shown yet. */
function asGiven(item: OutboxItem): Outgoing {
  const kept = asKept(item);
  return kept.state.state === "waiting" ? { item, state: { state: "waiting", written: false } } : kept;
}

/** What a view has that the store has not: changes that the leading tab could not save any more. */
function ahead(saved: Saved, view: View): Patch {
  const { state } = view;
  const patch: Patch = {};
  if (!state.me || state.epochs === undefined) return patch;
  const another = String(saved.epochs) !== String(state.epochs) || saved.me?.id !== state.me.id;
  if (another) patch.reset = { own: true, chats: true };
  patch.me = state.me;
  patch.epochs = state.epochs;
  const kept = new Map(another ? [] : saved.chats.map((it) => [it.head.info.id, it.head.version]));
  const own = another ? [] : (saved.own?.chats ?? []);
  patch.own = {
    version: state.own.version,
    missedCalls: state.own.missedCalls,
    chats: [...state.own.chats.values()],
    gone: own.map((it) => it.chat_id).filter((id) => !state.own.chats.has(id)),
    items: [
      ...(another ? [] : (saved.own?.items ?? [])).map((it): [string, undefined] => [placeOfItem(it) ?? "", undefined]),
      ...state.own.items,
    ],
  };
  patch.gone = [...kept.keys()].filter((id) => !state.chats.has(id));
  patch.chats = [...state.chats.values()].filter((it) => kept.get(it.info.id) !== it.version).map((it) => it.whole());
  return patch;
}
