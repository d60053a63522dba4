// The session: everything that a client decides, without a socket, a clock or a task. Give it what happened
// (`handle`) with the time, and take what is to be done (`take`). Rules R1 to R19 of docs/PROTOCOL.md; the vectors in
// protocol/vectors run against it.

import { CLOSE_CODES, type Action, type ChatId, type Event, type Sent, type UserId, type Version, type WireError } from "../protocol.js";
import { Backoff, type Dice } from "./backoff.js";
import type { ClientEvent, Stop } from "./event.js";
import { Outbox, outgoing, sendRequest, stateOf } from "./outbox.js";
import type { Outgoing, OutboxItem, Patch } from "./patch.js";
import { checkBody, checkRequest } from "./size.js";
import { isCallSignaled, isCallState, isCount, isDelta, isDifferences, isObject, isOwnReaction, isOwnVote, isPage, isRead, isSent, isSnapshot, isUser, isUserDelta, isWelcome, resets, wireError } from "./read.js";
import { Requests, type AppRequest, type Awaited, type Effect } from "./requests.js";
import type { Config, Input, Output, Phase, Refusal } from "./session_io.js";
import { SyncPart, emptyState, type State } from "./sync.js";

/** A connection that lived this long begins the back-off anew when it ends. */
const STEADY = 10_000;
/** Differences under way at once. */
const DIFFERENCES = 8;
/** Requests that one connection may have under way, by the protocol; the last 16 are for messages. */
const IN_FLIGHT = 64;
const UNDER_WAY = IN_FLIGHT - 16;
/** Most chats in the cursors of one `hello`: their number, and their bytes in a frame of 128 KiB. */
const RESUME_CHATS = Math.min(4_000, Math.floor((131_072 - 2_048) / (3 * 16 + 5)));
/** After "hurry", how long a connection may stay silent before it counts as dead. */
const PROBE = 5_000;

/** What the server says of a file that it has no more: it kept it for a day. */
const FORGOTTEN: ReadonlySet<string> = new Set(["file_not_found", "upload_gone"]);

const hasSocket = (phase: Phase): boolean => phase.at !== "waiting" && phase.at !== "stopped";

/** One device's session. It connects at the first "tick" if there is a token. */
export class Session {
  readonly #config: Config;
  #token: string | undefined;
  #phase: Phase = { at: "waiting", until: 0, named: false };
  readonly #backoff = new Backoff();
  #heartbeat = 30_000;
  #lastHeard = 0;
  #pinged = false;
  #probeUntil = Infinity;
  /** A time before which the server does not want to see us, with `drain` or an error. */
  #namedWait: number | undefined;
  readonly #outbox: Outbox;
  readonly #requests = new Requests();
  readonly #sync: SyncPart;
  #watch: UserId[] = [];
  #out: Output[] = [];

  constructor(config: Config, token: string | undefined, state: State = emptyState(), outbox: OutboxItem[] = []) {
    this.#config = config;
    this.#token = token;
    if (token === undefined) this.#phase = { at: "stopped", stop: { reason: "signed_out", message: "no token" } };
    this.#outbox = new Outbox(outbox);
    this.#sync = new SyncPart(state, {
      window: config.window,
      live: () => this.#live(),
      tell: (event) => this.#tell(event),
      ask: (awaited, method, params) => this.#ask(awaited, method, params),
      stored: (clientId, sent) => this.#sent(clientId, sent),
      settle: (chatId, version) => this.#settle(chatId, version),
    });
  }

  get phase(): Phase {
    return this.#phase;
  }

  get state(): State {
    return this.#sync.state;
  }

  /** Whether nothing that is known of is still to be fetched. */
  get inStep(): boolean {
    return this.#live() && this.#sync.inStep;
  }

  /** The messages on their way, in the order in which they were given. */
  outbox(): Outgoing[] {
    return this.#outbox.entries().map(outgoing);
  }

  /** Takes what is to be done. */
  take(): Output[] {
    return this.#out.splice(0);
  }

  /** What changed since the last time. */
  takePatch(): Patch {
    const patch = this.#sync.takePatch();
    const outbox = this.#outbox.takeChanges();
    if (outbox) patch.outbox = outbox;
    return patch;
  }

  /** When "tick" is due at the latest; Infinity when only something else can move the session. */
  deadline(now: number): number {
    const phase = this.#phase;
    const times = [this.#requests.deadline()];
    if (phase.at === "waiting" || phase.at === "greeting" || phase.at === "draining") times.push(phase.until);
    if (this.#live()) times.push(this.#lastHeard + 2 * this.#heartbeat, this.#probeUntil);
    if (phase.at === "live") {
      times.push(this.#outbox.deadline(now), this.#sync.deadline());
      if (this.#config.ping && !this.#pinged) times.push(this.#lastHeard + this.#heartbeat);
    }
    return Math.min(...times);
  }

  /** Takes note of what happened at `now`. */
  handle(now: number, dice: Dice, input: Input): void {
    this.#input(now, dice, input);
    this.#tick(now, dice);
    this.#pump(now);
  }

  #input(now: number, dice: Dice, input: Input): void {
    switch (input.type) {
      case "tick":
        return;
      case "opened":
        return this.#opened(now);
      case "frame":
        this.#heard(now);
        return this.#frame(now, dice, input.text);
      case "alive":
        return this.#heard(now);
      case "lost":
        return this.#lost(now, dice, input.code, input.message);
      case "hurry":
        if (this.#phase.at === "waiting" && !this.#phase.named) this.#phase = { at: "waiting", until: now, named: false };
        // However lately something was heard: the clock may have stood still while the device slept.
        if (this.#phase.at === "live" && this.#probeUntil === Infinity) {
          this.#probeUntil = now + PROBE;
          this.#ping();
        }
        return;
      case "request": {
        const { ticket, method, params, effect } = input;
        if (this.#phase.at === "stopped") return this.#refuse(ticket, { reason: "stopped", stop: this.#phase.stop });
        const error = checkRequest(method, params);
        if (error) return this.#refuse(ticket, { reason: "server", error });
        const until = now + this.#config.requestTimeout;
        return this.#requests.add({ ticket, method, params, effect, until, written: false });
      }
      case "abandon":
        return this.#requests.abandon(input.ticket);
      case "send":
        return this.#send(input.ticket, input.item);
      case "stored":
        return this.#stored(input.clientId, input.ok, input.fleeting === true);
      case "file": {
        const kept = this.#outbox.risen(input.clientId, input.index, now, input.step);
        if (kept) this.#out.push({ type: "store", item: kept.item });
        return this.#tellOutbox(input.clientId);
      }
      case "file_failed":
        if (!this.#outbox.isRising(input.clientId)) return;
        this.#out.push({ type: "stop_uploads", clientId: input.clientId, forget: [] });
        return this.#failed(input.clientId, input.error);
      case "cancel":
        return this.#cancel(input.clientId);
      case "retry": {
        const item = this.#outbox.retry(input.clientId);
        if (!item) return;
        this.#tellOutbox(input.clientId);
        this.#out.push({ type: "store", item });
        return;
      }
      case "watch":
        this.#watch = input.userIds;
        return;
      case "token":
        this.#token = input.token;
        if (this.#phase.at === "stopped" && ["signed_out", "refused"].includes(this.#phase.stop.reason)) {
          this.#phase = { at: "waiting", until: now, named: false };
        }
        return;
      case "close":
        return this.#stop(input.stop, 1000);
    }
  }

  #live(): boolean {
    return this.#phase.at === "live" || this.#phase.at === "draining";
  }

  #tell(event: ClientEvent): void {
    this.#out.push({ type: "tell", event });
  }

  #refuse(ticket: number, refusal: Refusal): void {
    this.#out.push({ type: "refuse", ticket, refusal });
  }

  #heard(now: number): void {
    this.#lastHeard = now;
    this.#pinged = false;
    this.#probeUntil = Infinity;
  }

  // ---- Coming, greeting, going -------------------------------------------------------------------------------------

  #opened(now: number): void {
    if (this.#phase.at !== "connecting") return;
    this.#heard(now);
    this.#phase = { at: "greeting", until: now + this.#config.helloTimeout };
    const resume = this.#resume();
    this.#ask({ for: "hello" }, "hello", { token: this.#token, ...(resume && { resume }) });
  }

  /** The cursors (R1); those of the chats with the newest messages when not all fit. */
  #resume(): object | undefined {
    const { epochs, own, chats } = this.state;
    if (epochs === undefined) return undefined;
    let list = [...chats.values()];
    if (list.length > RESUME_CHATS) {
      const moment = new Map(list.map((chat) => [chat, chat.last()?.sent_at ?? ""]));
      list.sort((a, b) => ((moment.get(a) ?? "") < (moment.get(b) ?? "") ? 1 : -1));
      list = list.slice(0, RESUME_CHATS);
    }
    list.sort((a, b) => a.info.id - b.info.id);
    return { epochs, user_version: own.version, chats: list.map((it) => [it.info.id, it.version, it.others_read]) };
  }

  #lost(now: number, dice: Dice, code: number | undefined, message: string): void {
    if (!hasSocket(this.#phase)) return;
    const action: Action = (code === undefined ? undefined : CLOSE_CODES[code]) ?? "resume";
    // A normal close that we did not ask for is a proxy's or a restarting server's; going on is right.
    if (action === "give_up" && code !== 1000) return this.#stop({ reason: "refused", message: `${code} ${message}` });
    if (action === "re_authenticate") return this.#stop({ reason: "signed_out", message });
    this.#goOffline(now, dice, message);
  }

  /** Gives the socket up and waits for the next attempt. */
  #dropConnection(now: number, dice: Dice, message: string): void {
    this.#out.push({ type: "disconnect", code: 1000 });
    this.#goOffline(now, dice, message);
  }

  #goOffline(now: number, dice: Dice, message: string): void {
    const phase = this.#phase;
    if (phase.at === "draining" || (phase.at === "live" && now >= phase.since + STEADY)) this.#backoff.reset();
    const named = phase.at === "draining" ? phase.until : this.#namedWait;
    this.#namedWait = undefined;
    const until = Math.max(named ?? now + this.#backoff.next(dice), now);
    this.#forgetConnection();
    this.#phase = { at: "waiting", until, named: named !== undefined };
    this.#tell({ type: "connection", connection: { state: "offline", retryInMs: until - now, message } });
  }

  #forgetConnection(): void {
    this.#requests.lost();
    this.#outbox.lost();
    this.#sync.lost();
    this.#probeUntil = Infinity;
  }

  /** Ends the session, closing the socket with a code if it is still there. */
  #stop(stop: Stop, code?: number): void {
    if (this.#phase.at === "stopped" && (this.#phase.stop.reason === stop.reason || stop.reason !== "closed")) return;
    if (code !== undefined && hasSocket(this.#phase)) this.#out.push({ type: "disconnect", code });
    this.#forgetConnection();
    this.#backoff.reset();
    for (const { ticket } of this.#requests.drain()) this.#refuse(ticket, { reason: "stopped", stop });
    for (const ticket of this.#outbox.takeTickets()) this.#refuse(ticket, { reason: "stopped", stop });
    this.#phase = { at: "stopped", stop };
    this.#tell({ type: "connection", connection: { state: "stopped", stop } });
  }

  #helloRefused(now: number, dice: Dice, error: WireError): void {
    const message = `${error.code}: ${error.message}`;
    if (error.action === "re_authenticate") return this.#stop({ reason: "signed_out", message }, 1000);
    if (error.action === "give_up") return this.#stop({ reason: "refused", message }, 1000);
    if (error.retry_after_ms !== undefined) this.#namedWait = now + error.retry_after_ms + this.#backoff.next(dice);
    this.#dropConnection(now, dice, message);
  }

  /** Does what is due at `now`. */
  #tick(now: number, dice: Dice): void {
    for (const request of this.#requests.overdue(now)) {
      if (request.written) this.#pageFailed(request.effect);
      this.#refuse(request.ticket, { reason: "timeout" });
    }
    const phase = this.#phase;
    if (phase.at === "waiting" && phase.until <= now) {
      this.#phase = { at: "connecting" };
      this.#tell({ type: "connection", connection: { state: "connecting" } });
      this.#out.push({ type: "connect" });
    } else if (phase.at === "greeting" && phase.until <= now) {
      this.#dropConnection(now, dice, "no answer to hello");
    } else if (this.#live() && (now >= this.#lastHeard + 2 * this.#heartbeat || now >= this.#probeUntil)) {
      this.#dropConnection(now, dice, "nothing heard for too long");
    } else if (phase.at === "draining" && phase.until <= now) {
      this.#dropConnection(now, dice, "the node is going away");
      return this.#tick(now, dice);
    }
    if (this.#live()) this.#sync.tick(now);
  }

  // ---- Writing -----------------------------------------------------------------------------------------------------

  #ask(awaited: Awaited, method: string, params: unknown): number {
    const id = this.#requests.begin(awaited);
    this.#out.push({ type: "write", text: JSON.stringify({ id, method, params }) });
    return id;
  }

  #ping(): void {
    this.#pinged = true;
    this.#ask({ for: "ping" }, "ping", {});
  }

  /** Writes what may be written. */
  #pump(now: number): void {
    if (this.#phase.at !== "live") return;
    if (this.#config.ping && !this.#pinged && now >= this.#lastHeard + this.#heartbeat) this.#ping();
    this.#sync.askOwn(now);
    while (this.#requests.countOf("difference") < DIFFERENCES && this.#requests.count < UNDER_WAY) {
      if (!this.#sync.askMore()) break;
    }
    while (this.#requests.count < UNDER_WAY) {
      const request = this.#requests.next();
      if (!request) break;
      request.written = true;
      if (typeof request.effect === "object") this.state.chats.get(request.effect.page)?.pageAsked();
      this.#ask({ for: "app", request }, request.method, request.params);
    }
    while (this.#requests.count < IN_FLIGHT) {
      const item = this.#outbox.next(now, this.#config.outboxInFlight);
      if (!item) break;
      const { method, params } = sendRequest(item);
      this.#ask({ for: "send", clientId: item.client_id }, method, params);
    }
    for (const { clientId, index, file } of this.#outbox.nextUploads(now, this.#config.uploads)) {
      this.#out.push({ type: "upload", clientId, index, file });
      this.#tellOutbox(clientId);
    }
  }

  // ---- What a frame means ------------------------------------------------------------------------------------------

  #frame(now: number, dice: Dice, text: string): void {
    if (this.#phase.at !== "greeting" && !this.#live()) return;
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      // A lost delta shows as a gap later and is fetched then.
      return;
    }
    if (!isObject(frame)) return;
    if (typeof frame.event === "string") return this.#event(now, frame as unknown as Event);
    const awaited = isCount(frame.id) ? this.#requests.end(frame.id) : undefined;
    if (!awaited) return;
    if (frame.error !== undefined) this.#refused(now, dice, awaited, wireError(frame.error));
    else this.#reply(now, dice, awaited, frame.ok);
  }

  #event(now: number, { event, data }: { event: string; data: unknown }): void {
    switch (event) {
      case "delta":
        if (isDelta(data)) this.#sync.delta(data);
        return;
      case "me":
        if (isUserDelta(data)) this.#sync.ownDelta(data);
        return;
      case "read":
        if (isRead(data)) this.#sync.read(data);
        return;
      case "voted":
        if (isOwnVote(data)) this.#sync.voted(data);
        break;
      case "reacted":
        if (isOwnReaction(data)) this.#sync.reacted(data);
        return;
      case "typing":
        if (isObject(data) && isCount(data.chat_id) && isCount(data.user_id)) {
          this.#tell({ type: "typing", chatId: data.chat_id, userId: data.user_id });
        }
        return;
      case "presence":
        return this.#presence(data);
      case "user":
        if (!isUser(data)) return;
        this.#sync.user(data);
        return this.#tell({ type: "users", users: [data] });
      case "drain": {
        if (!isObject(data) || !isCount(data.reconnect_after_ms)) return;
        const until = now + data.reconnect_after_ms;
        if (this.#live()) this.#phase = { at: "draining", until };
        else this.#namedWait = until;
        return;
      }
      case "call":
        if (isCallState(data)) this.#tell({ type: "call", state: data });
        return;
      case "call_signal":
        if (isCallSignaled(data)) this.#tell({ type: "call_signal", signal: data });
        return;
      default:
        this.#tell({ type: "server", event, data });
    }
  }

  #presence(data: unknown): void {
    if (!isObject(data) || !isCount(data.user_id) || typeof data.online !== "boolean") return;
    const presence = {
      user_id: data.user_id,
      online: data.online,
      ...(typeof data.last_seen_at === "string" && { last_seen_at: data.last_seen_at }),
    };
    this.#tell({ type: "presence", userId: presence.user_id, presence });
  }

  #reply(now: number, dice: Dice, awaited: Awaited, reply: unknown): void {
    switch (awaited.for) {
      case "hello":
        return this.#welcome(now, reply);
      case "ping":
        return;
      case "user_difference":
        return this.#sync.ownDifference(now, dice, isUserDelta(reply) ? reply : undefined);
      case "difference":
        return this.#sync.differences(now, dice, awaited.chats, isDifferences(reply) ? reply : undefined);
      case "send":
        // An album is stored in one change: its first message stands for all.
        if (isSent(reply)) this.#sent(awaited.clientId, reply);
        else if (isObject(reply) && Array.isArray(reply.sent) && isSent(reply.sent[0])) this.#sent(awaited.clientId, reply.sent[0]);
        else this.#outbox.again(awaited.clientId, now, undefined, dice);
        return;
      case "watch":
        if (isObject(reply) && Array.isArray(reply.presences)) for (const it of reply.presences) this.#presence(it);
        return;
      case "app":
        return this.#answer(awaited.request, reply);
    }
  }

  #refused(now: number, dice: Dice, awaited: Awaited, error: WireError): void {
    switch (awaited.for) {
      case "hello":
        return this.#helloRefused(now, dice, error);
      case "user_difference":
        // Too far behind: everything comes with the next welcome.
        if (error.action === "resume") return this.#dropConnection(now, dice, error.message);
        return this.#sync.ownDifferenceRefused(now, dice, error);
      case "difference":
        return this.#sync.differencesRefused(now, dice, awaited.chats, error);
      case "send":
        return this.#sendRefused(now, dice, awaited.clientId, error);
      case "app":
        this.#pageFailed(awaited.request.effect);
        return this.#refuse(awaited.request.ticket, { reason: "server", error });
      case "ping":
      case "watch":
    }
  }

  #welcome(now: number, reply: unknown): void {
    if (!isWelcome(reply)) return this.#stop({ reason: "refused", message: "a welcome that cannot be read" }, 1002);
    const { me } = this.state;
    if (me && me.id !== reply.user.id) return this.#stop({ reason: "other_user" }, 1000);
    this.#heartbeat = Math.max(reply.heartbeat_seconds, 1) * 1_000;
    this.#phase = { at: "live", since: now };
    this.#namedWait = undefined;
    if (resets(reply.sync, "chats")) this.#gone(this.#outbox.settleAll());
    this.#sync.welcome(reply);
    if (this.#watch.length) this.#ask({ for: "watch" }, "watch_presence", { user_ids: this.#watch });
    this.#tell({ type: "connection", connection: { state: "online" } });
  }

  #answer(request: AppRequest, reply: unknown): void {
    const { effect, ticket } = request;
    const readable = effect === "none" ? true : effect === "snapshot" ? isSnapshot(reply) : isPage(reply);
    if (!readable) {
      this.#pageFailed(effect);
      return this.#refuse(ticket, { reason: "bad_reply" });
    }
    const me = this.state.me?.id;
    if (effect === "snapshot" && isSnapshot(reply)) this.#sync.snapshot(reply);
    if (typeof effect === "object" && isPage(reply) && me !== undefined) {
      this.state.chats.get(effect.page)?.putPage(reply, me);
    }
    this.#out.push({ type: "answer", ticket, reply });
  }

  #pageFailed(effect: Effect): void {
    if (typeof effect === "object") this.state.chats.get(effect.page)?.pageFailed();
  }

  // ---- Outbox ------------------------------------------------------------------------------------------------------

  #send(ticket: number, item: OutboxItem): void {
    // A signed-out session takes messages: they go out when somebody signs in again.
    if (this.#phase.at === "stopped" && ["closed", "other_user"].includes(this.#phase.stop.reason)) {
      return this.#refuse(ticket, { reason: "stopped", stop: this.#phase.stop });
    }
    const known = this.#outbox.get(item.client_id);
    if (known) {
      // Another tab asks again for what it gave to the one that led before.
      if (known.sent) this.#out.push({ type: "answer", ticket, reply: known.sent });
      else if (known.item.failed) this.#refuse(ticket, { reason: "server", error: known.item.failed });
      else known.tickets.push(ticket);
      return;
    }
    const error = checkBody(item.body) ?? item.rest?.map((it) => checkBody(it.body)).find((it) => it !== undefined);
    if (error) return this.#refuse(ticket, { reason: "server", error });
    if (this.#outbox.length >= this.#config.outbox) return this.#refuse(ticket, { reason: "outbox" });
    const kept = this.#outbox.push(item, ticket);
    this.#tellOutbox(item.client_id);
    this.#out.push({ type: "store", item: kept });
  }

  #stored(clientId: string, ok: boolean, fleeting: boolean): void {
    if (fleeting) this.#outbox.fleeting(clientId);
    if (ok) return this.#outbox.saved(clientId);
    const entry = this.#outbox.notSaved(clientId);
    if (!entry) return;
    for (const ticket of entry.tickets) this.#refuse(ticket, { reason: "store" });
    this.#gone([entry]);
  }

  #cancel(clientId: string): void {
    const entry = this.#outbox.remove(clientId);
    if (!entry) return;
    const forget = (entry.item.files ?? []).flatMap((it) => (it.id === undefined ? [] : [it.id]));
    if (entry.item.files) this.#out.push({ type: "stop_uploads", clientId, forget });
    this.#out.push({ type: "unstore", clientId });
    for (const ticket of entry.tickets) this.#refuse(ticket, { reason: "cancelled" });
    this.#gone([entry]);
  }

  /** The server has a message: by its reply, or because a row shows it (R13). */
  #sent(clientId: string, sent: Sent): void {
    const entry = this.#outbox.sent(clientId, sent);
    if (!entry) return;
    this.#out.push({ type: "unstore", clientId });
    for (const ticket of entry.tickets.splice(0)) this.#out.push({ type: "answer", ticket, reply: entry.sent });
    this.#tellOutbox(clientId);
    const chatId = entry.item.chat_id;
    this.#settle(chatId, this.state.chats.get(chatId)?.version);
  }

  #sendRefused(now: number, dice: Dice, clientId: string, error: WireError): void {
    if (error.action === "retry" || error.action === "resume") {
      const preparing = error.code === "file_not_ready";
      this.#outbox.again(clientId, now, error.retry_after_ms, dice, preparing);
      if (preparing) this.#tellOutbox(clientId);
      return;
    }
    if (FORGOTTEN.has(error.code)) {
      const entry = this.#outbox.upAgain(clientId);
      if (entry) return void this.#out.push({ type: "store", item: entry.item });
    }
    if (error.action === "re_authenticate") {
      return this.#stop({ reason: "signed_out", message: `${error.code}: ${error.message}` }, 1000);
    }
    this.#failed(clientId, error);
  }

  #failed(clientId: string, error: WireError): void {
    const entry = this.#outbox.failed(clientId, error);
    if (!entry) return;
    this.#out.push({ type: "store", item: entry.item });
    for (const ticket of entry.tickets.splice(0)) this.#refuse(ticket, { reason: "server", error });
    this.#tellOutbox(clientId);
  }

  #settle(chatId: ChatId, version: Version | undefined): void {
    this.#gone(this.#outbox.settle(chatId, version));
  }

  #gone(entries: { item: OutboxItem }[]): void {
    for (const { item } of entries) this.#tell({ type: "outbox", chatId: item.chat_id, clientId: item.client_id });
  }

  #tellOutbox(clientId: string): void {
    const entry = this.#outbox.get(clientId);
    if (!entry) return;
    this.#tell({ type: "outbox", chatId: entry.item.chat_id, clientId, state: stateOf(entry) });
  }
}
