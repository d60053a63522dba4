// Does what the core says: opens sockets, writes frames, keeps what changed, answers callers.

import type { Backend, Op } from "./backend.js";
import { fileKey } from "./core/attached.js";
import type { ClientEvent, Stop } from "./core/event.js";
import { applyOutbox, type Patch } from "./core/patch.js";
import type { Effect } from "./core/requests.js";
import { Session } from "./core/session.js";
import type { Config, Input, Output } from "./core/session_io.js";
import { emptyState } from "./core/sync.js";
import { ChaparError, refusalError, stopError } from "./error.js";
import type { Uploads } from "./files/uploads.js";
import type { User, UserId } from "./protocol.js";
import { isObject } from "./core/read.js";
import type { Store } from "./store/store.js";
import { Connection, type SocketConstructor } from "./transport.js";
import { noteEvents, type View } from "./view.js";

/** How long changes gather before they are saved, in milliseconds. */
const SAVE_AFTER = 300;
/** How long unknown users gather before they are asked for, in milliseconds. */
const USERS_AFTER = 20;
/** How long what was told of a user holds, in milliseconds: that somebody has another name is told, and now and then lost. */
const ASKED_FOR = 15 * 60_000;
/** After a connection that broke, names are asked for anew within so many milliseconds: not by all who were cut off at once. */
const RENEW_WITHIN = 20_000;
/** Most users in one `get_users`. */
const USERS = 200;
/** Largest request, in bytes: a larger one would close the connection. */
const FRAME_BYTES = 131_072 - 256;
/** Commands whose answers name users. */
const NAMES_USERS = new Set(["get_users", "resolve", "set_name"]);
/** Longest time that a timer can wait. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** What a host needs from outside. */
export interface HostOptions {
  websocketUrl: string;
  /** The HTTP API, without a slash at the end. */
  httpUrl: string;
  WebSocket: SocketConstructor | undefined;
  config: Config;
  store: Store;
  /** Everything that changed, in order. */
  onChange(change: Change): void;
}

/** What changed, with the events that tell of it. */
export interface Change {
  patch: Patch;
  users: User[];
  events: ClientEvent[];
  preference?: [key: string, value: unknown];
  inStep: boolean;
  token: string | undefined;
  /** Too much to say: take the whole view. */
  whole: boolean;
}

const isEmpty = (patch: Patch): boolean => Object.keys(patch).length === 0;

export class Host implements Backend {
  readonly view: View;
  readonly #options: HostOptions;
  #session: Session;
  #socket: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting = new Map<number, { resolve: (reply: unknown) => void; reject: (error: ChaparError) => void }>();
  #lastTicket = 0;
  /** Requests that may be given up, by their keys. */
  #keys = new Map<string, number>();
  #inputs: Input[] = [];
  #running = false;
  #unsaved: Patch[] = [];
  #unsavedUsers: User[] = [];
  #saveTimer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> = Promise.resolve();
  #wanted = new Set<UserId>();
  /** Users that were asked for, and when: they are as told, or do not exist. */
  #asked = new Map<UserId, number>();
  /** Users of whom nothing was heard for want of a connection: they are asked for when there is one. */
  #missed = new Set<UserId>();
  #usersTimer: ReturnType<typeof setTimeout> | undefined;
  /** Runs from a new connection until names are asked for anew. */
  #renewTimer: ReturnType<typeof setTimeout> | undefined;
  #wasOnline = false;
  #watches = new Map<string, UserId[]>();
  /** The bytes of files that the store does not have, or not yet. */
  readonly #bytes = new Map<string, Blob>();
  /** Messages whose bytes are being kept. */
  readonly #putting = new Set<string>();
  #uploads: Promise<Uploads> | undefined;
  #closed = false;
  #toldInStep = false;

  /** Begins with what was saved; connects at once if there is a token. */
  constructor(options: HostOptions, view: View) {
    this.#options = options;
    this.view = view;
    const items = view.outbox.map((it) => it.item);
    this.#session = new Session(options.config, view.token, view.state, items);
    view.outbox = this.#session.outbox();
    this.#run({ type: "tick" });
  }

  async do(op: Op): Promise<unknown> {
    switch (op.op) {
      case "request":
        return this.#request(op.method, op.params, op.effect, op.key);
      case "abandon":
        return this.#abandon(op.key);
      case "send":
        for (const [index, file] of (op.files ?? []).entries()) this.#bytes.set(fileKey(op.item.client_id, index), file);
        return this.#ticket((ticket) => ({ type: "send", ticket, item: op.item }));
      case "file":
        return this.#fileOf(op.clientId, op.index);
      case "cancel":
        this.#run({ type: "cancel", clientId: op.clientId });
        return !this.view.outbox.some((it) => it.item.client_id === op.clientId);
      case "retry":
        return this.#run({ type: "retry", clientId: op.clientId });
      case "hurry":
        void this.#uploads?.then((uploads) => uploads.hurry(), () => {});
        return this.#run({ type: "hurry" });
      case "watch":
        return this.#watch(op.tab, op.userIds);
      case "users":
        return this.#wantUsers(op.userIds);
      case "rows":
        // What changed a moment ago is not in the store yet.
        await this.save();
        return this.#options.store.rows(op.chatId, op.from, op.to).catch(() => ({ messages: [], reacted: [] }));
      case "cache":
        await this.save();
        return this.#options.store.cacheRows(op.chatId, op.rows).catch(() => this.#notPersistent());
      case "preference":
        return this.#setPreference(op.key, op.value);
      case "token":
        return this.#setToken(op.token, op.user);
      case "forget":
        return this.#forget();
    }
  }

  async close(): Promise<void> {
    this.#run({ type: "close", stop: { reason: "closed" } });
    this.#refuseAll({ reason: "closed" });
    this.#closed = true;
    this.#stopUploads();
    clearTimeout(this.#usersTimer);
    clearTimeout(this.#renewTimer);
    await this.save();
  }

  /** Another tab has the connection and the store from now on: nothing more is written or said, and who waits waits for that one. */
  retire(): void {
    this.#closed = true;
    this.#stopUploads();
    for (const timer of [this.#usersTimer, this.#renewTimer, this.#timer, this.#saveTimer]) clearTimeout(timer);
    this.#unsaved = [];
    this.#unsavedUsers = [];
    this.#waiting.clear();
    this.#socket?.close(1000);
    this.#socket = undefined;
  }

  /** Saves what changed, now. */
  async save(): Promise<void> {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    const patches = this.#unsaved.splice(0);
    const users = this.#unsavedUsers.splice(0);
    if ((patches.length || users.length) && this.view.persistent) {
      const before = this.#saving;
      // After a failure nothing more is saved: a cursor must never be ahead of its rows.
      this.#saving = before.then(async () => {
        if (this.view.persistent) await this.#options.store.save(patches, users).catch(() => this.#notPersistent());
      });
    }
    await this.#saving;
  }

  #now(): number {
    return performance.now();
  }

  /** Tells the core what happened, does what it says, then tells what changed. */
  #run(input: Input): void {
    if (this.#closed) return;
    this.#inputs.push(input);
    if (this.#running) return;
    this.#running = true;
    const events: ClientEvent[] = [];
    const session = this.#session;
    try {
      for (let next = this.#inputs.shift(); next; next = this.#inputs.shift()) {
        session.handle(this.#now(), (bound) => Math.floor(Math.random() * bound), next);
        for (const output of session.take()) this.#act(output, events);
      }
    } finally {
      this.#running = false;
    }
    const patch = session.takePatch();
    if (patch.outbox) this.view.outbox = applyOutbox(this.view.outbox, patch.outbox);
    this.view.inStep = session.inStep;
    noteEvents(this.view, events);
    if (events.some((it) => it.type === "connection" && it.connection.state === "online")) this.#connected();
    this.#schedule();
    this.#changed(patch, events, this.#named(events));
  }

  /** The users that events name: they are as told. */
  #named(events: ClientEvent[]): User[] {
    const users = events.flatMap((it) => (it.type === "users" ? it.users : []));
    for (const { id } of users) this.#asked.set(id, this.#now());
    return users;
  }

  #connected(): void {
    const missed = [...this.#missed];
    this.#missed.clear();
    if (missed.length) this.#wantUsers(missed);
    // Whoever took another name meanwhile was told to nobody who was away.
    if (this.#wasOnline) {
      this.#renewTimer ??= setTimeout(() => {
        this.#renewTimer = undefined;
        this.#asked.clear();
        this.#changed({}, [{ type: "users", users: [] }]);
      }, Math.random() * RENEW_WITHIN);
    }
    this.#wasOnline = true;
  }

  #changed(patch: Patch, events: ClientEvent[], users: User[] = [], preference?: [string, unknown]): void {
    if (patch.me) {
      this.view.users.set(patch.me.id, patch.me);
      users.push(patch.me);
    }
    for (const user of users) this.view.users.set(user.id, user);
    const { outbox: _, ...state } = patch;
    if (!isEmpty(state) || users.length) {
      this.#unsaved.push(state);
      this.#unsavedUsers.push(...users);
      this.#saveTimer ??= setTimeout(() => void this.save(), SAVE_AFTER);
    }
    const { inStep, token } = this.view;
    if (inStep !== this.#toldInStep) events.push({ type: "in_step", inStep });
    this.#toldInStep = inStep;
    if (isEmpty(patch) && events.length === 0 && users.length === 0) return;
    this.#options.onChange({ patch, users, events, inStep, token, whole: false, ...(preference && { preference }) });
  }

  #act(output: Output, events: ClientEvent[]): void {
    switch (output.type) {
      case "connect":
        return this.#connect();
      case "write":
        return this.#socket?.write(output.text);
      case "disconnect":
        this.#socket?.close(output.code);
        this.#socket = undefined;
        return;
      case "store":
        return this.#keep(output.item);
      case "upload":
        return this.#upload(output);
      case "stop_uploads":
        void this.#uploads?.then((uploads) => uploads.stop(output.clientId, output.forget), () => {});
        return;
      case "unstore":
        for (const key of [...this.#bytes.keys()]) if (key.startsWith(`${output.clientId}/`)) this.#bytes.delete(key);
        // If this is lost, the message is sent once more, which does no harm.
        this.#options.store.removeOutbox([output.clientId]).catch(() => this.#notPersistent());
        return;
      case "answer":
        return this.#settle(output.ticket)?.resolve(output.reply);
      case "refuse":
        return this.#settle(output.ticket)?.reject(refusalError(output.refusal));
      case "tell":
        events.push(output.event);
    }
  }

  #keep(item: Extract<Output, { type: "store" }>["item"]): void {
    const clientId = item.client_id;
    const { store } = this.#options;
    const kept = (fleeting = false): void => this.#run({ type: "stored", clientId, ok: true, fleeting });
    const keys = (item.files ?? []).map((_, index) => fileKey(clientId, index));
    const files = keys.flatMap((key) => this.#bytes.get(key) ?? []);
    const alone = (fleeting = false): void => {
      // A full or blocked disk must not keep people from writing: it goes out from memory then, and the flag says so.
      store.putOutbox([item]).then(() => kept(fleeting), () => {
        this.#notPersistent();
        kept(fleeting);
      });
    };
    // Bytes that were kept, or could not be, are not tried again with each step of the message.
    if (files.length === 0 || files.length < keys.length || item.files?.some((it) => it.fleeting) || this.#putting.has(clientId)) return alone();
    this.#putting.add(clientId);
    store.putFiles(item, files).then(
      () => {
        // From now on they are read from there: a file may be changed or taken away from the disk.
        this.#putting.delete(clientId);
        if (store.persistent) for (const key of keys) this.#bytes.delete(key);
        kept(!store.persistent);
      },
      () => alone(true),
    );
  }

  // ---- Files -------------------------------------------------------------------------------------------------------

  async #fileOf(clientId: string, index: number): Promise<Blob | undefined> {
    return this.#bytes.get(fileKey(clientId, index)) ?? this.#options.store.file(clientId, index).catch(() => undefined);
  }

  #upload({ clientId, index, file }: Extract<Output, { type: "upload" }>): void {
    this.#uploads ??= import("./files/uploads.js").then((it) => new it.Uploads(this.#options.httpUrl, () => this.view.token, (input) => this.#run(input)));
    this.#uploads.then(
      (uploads) => (this.#closed ? undefined : uploads.begin(clientId, index, file, this.#fileOf(clientId, index))),
      () => {
        // That part of the program could not be loaded: it is tried again.
        this.#uploads = undefined;
        this.#run({ type: "file", clientId, index, step: { at: "paused" } });
      },
    );
  }

  #stopUploads(): void {
    void this.#uploads?.then((uploads) => uploads.stopAll(), () => {});
  }

  #connect(): void {
    const { websocketUrl, WebSocket } = this.#options;
    try {
      const socket: Connection = new Connection(WebSocket, websocketUrl, {
        onOpen: () => this.#socket === socket && this.#run({ type: "opened" }),
        onFrame: (text) => this.#socket === socket && this.#run({ type: "frame", text }),
        onLost: (code, message) => this.#socket === socket && this.#run({ type: "lost", code, message }),
      });
      this.#socket = socket;
    } catch (error) {
      const message = error instanceof Error ? error.message : "the connection could not be opened";
      this.#inputs.push({ type: "lost", message });
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const now = this.#now();
    const deadline = this.#session.deadline(now);
    if (deadline === Infinity) return;
    const wait = Math.min(Math.max(Math.ceil(deadline - now), 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => this.#run({ type: "tick" }), wait);
  }

  #ticket(input: (ticket: number) => Input): Promise<unknown> {
    if (this.#closed) return Promise.reject(stopError({ reason: "closed" }));
    const ticket = ++this.#lastTicket;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(ticket, { resolve, reject }));
    this.#run(input(ticket));
    return answer;
  }

  /** Nobody will answer any more. */
  #refuseAll(stop: Stop): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(stopError(stop));
    this.#waiting.clear();
  }

  #settle(ticket: number): { resolve: (reply: unknown) => void; reject: (error: ChaparError) => void } | undefined {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    return waiting;
  }

  #request(method: string, params: unknown, effect: Effect, key?: string): Promise<unknown> {
    const bytes = new TextEncoder().encode(JSON.stringify(params)).length;
    if (bytes > FRAME_BYTES) return Promise.reject(new ChaparError("too_large", "the request is too large"));
    const answer = this.#ticket((ticket) => {
      if (key !== undefined) this.#keys.set(key, ticket);
      return { type: "request", ticket, method, params, effect };
    });
    if (key !== undefined) {
      const forget = (): void => void this.#keys.delete(key);
      answer.then(forget, forget);
    }
    return NAMES_USERS.has(method) ? answer.then((reply) => (this.#noteUsers(reply), reply)) : answer;
  }

  /** Not written yet, it never is; the answer to one that was reaches nobody. */
  #abandon(key: string): void {
    const ticket = this.#keys.get(key);
    if (ticket === undefined) return;
    this.#run({ type: "abandon", ticket });
    this.#settle(ticket)?.reject(refusalError({ reason: "cancelled" }));
  }

  /** Takes note of the users that an answer names. */
  #noteUsers(reply: unknown): void {
    if (!isObject(reply)) return;
    const list = Array.isArray(reply.users) ? reply.users : [reply.user ?? reply];
    const users = list.filter((it): it is User => isObject(it) && typeof it.id === "number" && typeof it.name === "string");
    if (users.length === 0) return;
    for (const user of users) this.#asked.set(user.id, this.#now());
    const me = users.find((user) => user.id === this.view.state.me?.id);
    if (me) this.view.state.me = me;
    this.#changed(me ? { me } : {}, [{ type: "users", users }], users);
  }

  #watch(tab: string, userIds: UserId[]): Promise<unknown> {
    if (userIds.length) this.#watches.set(tab, userIds);
    else this.#watches.delete(tab);
    const all = [...new Set([...this.#watches.values()].flat())].slice(0, USERS);
    this.#run({ type: "watch", userIds: all });
    return this.#request("watch_presence", { user_ids: all }, "none").then((reply) => {
      const presences = isObject(reply) && Array.isArray(reply.presences) ? reply.presences : [];
      const events = presences.map((it): ClientEvent => ({ type: "presence", userId: it.user_id, presence: it }));
      this.#changed({}, events);
      return reply;
    });
  }

  #wantUsers(userIds: UserId[]): void {
    const now = this.#now();
    for (const id of userIds) if (now - (this.#asked.get(id) ?? -Infinity) > ASKED_FOR) this.#wanted.add(id);
    if (this.#wanted.size) this.#usersTimer ??= setTimeout(() => void this.#askUsers(), USERS_AFTER);
  }

  async #askUsers(): Promise<void> {
    const ids = [...this.#wanted].slice(0, USERS);
    for (const id of ids) {
      this.#wanted.delete(id);
      this.#asked.set(id, this.#now());
    }
    try {
      await this.#request("get_users", { user_ids: ids }, "none");
    } catch (error) {
      for (const id of ids) this.#asked.delete(id);
      // Nobody asks again who has their line on the screen already, least of all another tab.
      if (error instanceof ChaparError && error.action === "retry") for (const id of ids) this.#missed.add(id);
    }
    this.#usersTimer = undefined;
    this.#wantUsers([]);
  }

  async #setPreference(key: string, value: unknown): Promise<void> {
    if (value === undefined) this.view.preferences.delete(key);
    else this.view.preferences.set(key, value);
    this.#changed({}, [{ type: "preference", key }], [], [key, value]);
    await this.#options.store.setPreference(key, value).catch(() => this.#notPersistent());
  }

  async #setToken(token: string, user: User): Promise<void> {
    const { me } = this.view.state;
    if (me && me.id !== user.id) throw stopError({ reason: "other_user" });
    this.view.token = token;
    await this.#options.store.setToken(token).catch(() => this.#notPersistent());
    this.#run({ type: "token", token });
  }

  async #forget(): Promise<void> {
    const stop = { reason: "signed_out", message: "signed out" } as const;
    this.#run({ type: "close", stop });
    // Also who gave a message while nobody was signed in.
    this.#refuseAll(stop);
    await this.save();
    this.#asked.clear();
    this.#watches.clear();
    this.#stopUploads();
    this.#bytes.clear();
    const { view } = this;
    Object.assign(view, { state: emptyState(), outbox: [], inStep: false, token: undefined });
    view.users.clear();
    view.preferences.clear();
    view.calls.clear();
    this.#session = new Session(this.#options.config, undefined, view.state);
    await this.#options.store.clear().catch(() => this.#notPersistent());
    this.#options.onChange({ patch: {}, users: [], events: [{ type: "reset" }], inStep: false, token: undefined, whole: true });
  }

  #notPersistent(): void {
    if (!this.view.persistent) return;
    this.view.persistent = false;
    this.#unsaved = [];
    this.#changed({}, [{ type: "persistent", persistent: false }]);
  }
}
