// The client that an application holds.

import type { Backend, Op } from "./backend.js";
import { Commands, newClientId, textBody, type Asking } from "./commands.js";
import type { ClientEvent, Connection } from "./core/event.js";
import { itemOf, placeOf, withoutVersion, type ItemKey, type ItemKind, type ItemOf, type ItemValue } from "./core/items.js";
import type { Outgoing, OutboxItem } from "./core/patch.js";
import type { Effect } from "./core/requests.js";
import type { Config } from "./core/session_io.js";
import { Emitter, type EventOf } from "./emitter.js";
import { endpoint, type Endpoint } from "./endpoint.js";
import { ChaparError, stopError } from "./error.js";
import { give, type AlbumFile, type FileOptions } from "./files/give.js";
import type { Growing } from "./files/tus.js";
import type { FileRef, Links, LinksOfFile } from "./files/links.js";
import { post } from "./http.js";
import { openBackend } from "./open.js";
import type * as wire from "./protocol.js";
import type { Store } from "./store/store.js";
import { historyPage } from "./history.js";
import { Timeline } from "./timeline.js";
import type { SocketConstructor } from "./transport.js";
import { hiddenIn, hides } from "./core/hidden.js";
import { chatView, chatViews, memberViews, messageViews, type ChatView, type MessageView, type View } from "./view.js";

/** How a client is made. */
export interface ClientOptions {
  /** The server: `http`, `https`, `ws` or `wss`. In a browser the page's own origin unless given. */
  url?: string;
  /** The token of an earlier sign-in; the one in the store unless given. */
  token?: string;
  /** Names the store and the group of tabs: one name for each account of a browser. `default` unless given. */
  name?: string;
  /** Where the local state lives; IndexedDB unless given, memory where there is none or it is blocked. */
  store?: Store;
  /** Whether the tabs of a browser share one connection and one store. True unless given, where the browser can. */
  tabs?: boolean;
  /** For platforms without a global one (Node 20): the constructor of the package `ws` fits. */
  WebSocket?: SocketConstructor;
  /** Bounds and times of the session. */
  config?: Partial<Config>;
}

/** How a message is sent. */
export interface SendOptions {
  /** The message that it answers. */
  replyTo?: wire.Seq;
  /** Which words of that message it is about. */
  quote?: wire.Quote;
  /** A client id of one's own: a UUID. */
  clientId?: string;
  /** Without a sound at the others': they are not notified of it. */
  silent?: boolean;
  /** The message with which the thread begins in which it is to stand. */
  thread?: wire.Seq;
}

/** A message on its way. To await it is to await `stored`: the same meaning as in the Rust SDK. */
export interface Sending extends PromiseLike<wire.Sent> {
  /** Names it in the outbox; the message that comes back carries it too. */
  readonly clientId: string;
  /** Resolves when the server has stored it, however long that takes. Need not be awaited. */
  readonly stored: Promise<wire.Sent>;
}

/** Typing is told once in so many milliseconds at most. */
const TYPING_EVERY = 5_000;

/** One device's session with a server. Make one with `Client.open`. */
export class Client extends Commands {
  readonly #backend: Backend;
  readonly #emitter: Emitter;
  readonly #endpoint: Endpoint;
  readonly #tab = newClientId();
  readonly #typed = new Map<wire.ChatId, number>();
  readonly #unlisten: () => void;
  #lastOrder = 0;
  #links: Promise<Links> | undefined;

  private constructor(backend: Backend, emitter: Emitter, at: Endpoint) {
    super();
    this.#backend = backend;
    this.#emitter = emitter;
    this.#endpoint = at;
    this.#unlisten = this.#listen();
  }

  /**
   * Opens the local state, which can be read at once, and connects if somebody is signed in. Rejects with `bad_url`
   * only: a store that cannot be opened is replaced by memory (`persistent` is false then).
   */
  static async open(options: ClientOptions = {}): Promise<Client> {
    const url = options.url ?? (globalThis as { location?: { origin: string } }).location?.origin;
    const at = endpoint(url ?? "");
    const emitter = new Emitter();
    const backend = await openBackend(options, at, (events) => emitter.emit(events));
    return new Client(backend, emitter, at);
  }

  // ---- Accounts ----------------------------------------------------------------------------------------------------

  /** Makes an account and signs this device in. */
  async register(account: wire.Register): Promise<wire.User> {
    return this.#signedIn(await post(this.#endpoint.http, "/api/v1/register", account));
  }

  /** Signs this device in. After a forced sign-out the outbox goes on; `other_user` if it is somebody else's. */
  async signIn(account: wire.SignIn): Promise<wire.User> {
    return this.#signedIn(await post(this.#endpoint.http, "/api/v1/sign-in", account));
  }

  /** Signs this device out at the server and forgets everything local, the outbox and preferences included. */
  async signOut(): Promise<void> {
    const { token } = this.#view;
    try {
      if (token !== undefined) await post(this.#endpoint.http, "/api/v1/sign-out", {}, token);
    } catch (error) {
      // A token that is not good any more is signed out already.
      if (!(error instanceof ChaparError) || error.action === "retry") throw error;
    }
    await this.#do({ op: "forget" });
  }

  /** Forgets everything local without telling the server: for somebody who signs in on another's device, or offline. */
  async forget(): Promise<void> {
    await this.#do({ op: "forget" });
  }

  /** The secret of this device, if somebody is signed in. Keep it as you would keep a password. */
  get token(): string | undefined {
    return this.#view.token;
  }

  /** Closes the connection of this client and saves the state. Other tabs go on. */
  async close(): Promise<void> {
    this.#unlisten();
    await this.#backend.close();
  }

  // ---- Local state -------------------------------------------------------------------------------------------------

  /** Who the user is; undefined before the first welcome. */
  get me(): wire.User | undefined {
    return this.#view.state.me;
  }

  /** How the connection stands. */
  get connection(): Connection {
    return this.#view.connection;
  }

  /** Whether everything known of is held: no gap is being filled. */
  get inStep(): boolean {
    return this.#view.inStep;
  }

  /** Whether the local state outlives the page. */
  get persistent(): boolean {
    return this.#view.persistent;
  }

  /** The calls that have not ended, as the server last told. `Calls` of `@chapar/client/call` handles them. */
  liveCalls(): wire.CallState[] {
    return [...this.#view.calls.values()];
  }

  /** Calls missed and not looked at yet, on whatever device. */
  get missedCalls(): number {
    return this.#view.state.own.missedCalls;
  }

  /** What the user has set under a kind and a key, on whatever device: `item("mute", chatId)`. */
  item<K extends ItemKind>(kind: K, key: ItemKey<K>): ItemValue<K> | undefined {
    return this.#view.state.own.items.get(placeOf(kind, key))?.value as ItemValue<K> | undefined;
  }

  /** All that the user has set of a kind: `items("block")`. */
  items<K extends ItemKind>(kind: K): ItemOf<K>[] {
    return [...this.#view.state.own.items.values()].filter((it) => it.kind === kind).map((it) => withoutVersion(it) as ItemOf<K>);
  }

  /** Sets something on all own devices, or takes it back. The event `item` tells when it is so. */
  setItem<K extends ItemKind>(kind: K, key: ItemKey<K>, value?: ItemValue<K>): Promise<wire.ItemsSet> {
    return this.setItems([itemOf(kind, key, value) as ItemOf]);
  }

  /** Who may write, call, add to chats, or see whether one is there: everybody unless it was set. */
  audience(setting: "who_may_write" | "who_may_call" | "who_may_add" | "who_may_see"): wire.Audience {
    return (this.item("setting", setting) as wire.Audience | undefined) ?? "everybody";
  }

  /** All chats, those with the newest message first. */
  chats(): ChatView[] {
    return chatViews(this.#view.state);
  }

  /** One chat. */
  chat(chatId: wire.ChatId): ChatView | undefined {
    const chat = this.#view.state.chats.get(chatId);
    return chat && chatView(this.#view.state, chat);
  }

  /** The direct chat with a user, if there is one. */
  directChat(userId: wire.UserId): ChatView | undefined {
    return this.chats().find((chat) => chat.peer === userId);
  }

  /** The members of a chat as far as told; in channels only oneself. */
  members(chatId: wire.ChatId): wire.Member[] {
    const chat = this.#view.state.chats.get(chatId);
    return chat ? memberViews(chat) : [];
  }

  /** The messages held of a chat, by seq: a window at its end. For scrolling use `timeline`. */
  messages(chatId: wire.ChatId): MessageView[] {
    const chat = this.#view.state.chats.get(chatId);
    return chat ? messageViews(chat) : [];
  }

  /** Whether the user has deleted a message for themselves: show nothing of it. The event `item` of the kind `hidden` tells what changes. */
  isHidden(chatId: wire.ChatId, seq: wire.Seq): boolean {
    return hides(hiddenIn(this.#view.state.own, chatId), seq);
  }

  /** The own vote in a poll, with what is right in a quiz that one has answered; nothing where none is known. */
  ownVote(chatId: wire.ChatId, seq: wire.Seq): wire.OwnVote | undefined {
    return this.#view.state.chats.get(chatId)?.votes.get(seq);
  }

  /** The messages on their way, of one chat or of all, in the order in which they were given. */
  outbox(chatId?: wire.ChatId): Outgoing[] {
    const { outbox } = this.#view;
    return chatId === undefined ? [...outbox] : outbox.filter((it) => it.item.chat_id === chatId);
  }

  /** Who a user is. When unknown, it is asked for, and the event `users` tells when it is here. */
  user(userId: wire.UserId): wire.User | undefined {
    void this.#do({ op: "users", userIds: [userId] }).catch(() => {});
    return this.#view.users.get(userId);
  }

  /** What the application kept under a key, such as drafts and settings; kept beside the chats, shared by the tabs. */
  preference(key: string): unknown {
    return this.#view.preferences.get(key);
  }

  /** Keeps something small under a key: anything that `structuredClone` takes. `undefined` forgets it. */
  async setPreference(key: string, value: unknown): Promise<void> {
    await this.#do({ op: "preference", key, value });
  }

  // ---- Events ------------------------------------------------------------------------------------------------------

  /** Calls a function for each event of a type, or with `*` for each event. Returns what ends it. */
  on<T extends ClientEvent["type"]>(type: T, handler: (event: EventOf<T>) => void): () => void;
  on(type: "*", handler: (event: ClientEvent) => void): () => void;
  on(type: string, handler: (event: never) => void): () => void {
    return this.#emitter.on(type, handler as (event: ClientEvent) => void);
  }

  /**
   * Events from now on, until the client is closed or the signal aborts. The queue holds 1,024: a slower reader gets
   * `lagged` and reads the local state again, which holds everything.
   */
  events(signal?: AbortSignal): AsyncGenerator<ClientEvent | { type: "lagged"; count: number }> {
    return this.#emitter.iterate(signal);
  }

  /** The next event of a type, or the next that fits. Rejects with the signal's reason when that aborts. */
  once<T extends ClientEvent["type"]>(type: T, options: { signal?: AbortSignal; fits?: (event: EventOf<T>) => boolean } = {}): Promise<EventOf<T>> {
    const { signal, fits } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const off = this.on(type, (event) => {
        if (fits && !fits(event)) return;
        end();
        resolve(event);
      });
      const abort = (): void => {
        end();
        reject(signal?.reason as Error);
      };
      const end = (): void => {
        off();
        signal?.removeEventListener("abort", abort);
      };
      signal?.addEventListener("abort", abort);
    });
  }

  /** Waits until the client is connected and welcomed. Rejects when the session ends before. */
  async online(): Promise<void> {
    const check = (connection: Connection): boolean => {
      if (connection.state === "stopped") throw stopError(connection.stop);
      return connection.state === "online";
    };
    if (check(this.connection)) return;
    await new Promise<void>((resolve, reject) => {
      const off = this.on("connection", ({ connection }) => {
        try {
          if (!check(connection)) return;
          resolve();
        } catch (error) {
          reject(error as ChaparError);
        }
        off();
      });
    });
  }

  /** Connects at once instead of waiting, unless the server named the time; checks whether a connection still lives. */
  hurry(): void {
    void this.#do({ op: "hurry" }).catch(() => {});
  }

  // ---- Messages ----------------------------------------------------------------------------------------------------

  /**
   * Sends a message. It stands in `outbox` at once, and goes out however long the network is away. `await` waits until the
   * server has stored it; whoever does not wait is told by the event `outbox`. `preview` is what `previewLink` has found behind a link in it,
   * `thread` the message with which the thread begins in which it is to stand.
   */
  send(chatId: wire.ChatId, body: string | wire.NewBody, options: SendOptions & { preview?: wire.LinkPreview } = {}): Sending {
    const what = { body: typeof body === "string" ? textBody(body) : body, ...(options.preview && { preview: options.preview }) };
    return this.#give(chatId, what, options);
  }

  /**
   * Sends a file, whose bytes go up first; it stands in `outbox` at once, with its progress. The upload goes on after a loss of
   * the network, and after the end of the page where `persistent` is true. `cancel` ends it.
   */
  sendFile(chatId: wire.ChatId, file: Blob, options: FileOptions & SendOptions = {}): Sending {
    const { body, files, bytes } = give(file, options, 0);
    return this.#give(chatId, { body, files }, options, bytes);
  }

  /** Sends 2 to 10 photos, videos, documents or pieces of music as an album: they are stored in one change. `stored` tells of the first. */
  sendAlbum(chatId: wire.ChatId, album: AlbumFile[], options: SendOptions = {}): Sending {
    const given = album.map((it, part) => give(it.file, it, part));
    const [first, ...others] = given;
    if (!first || others.length === 0) throw new ChaparError("bad_request", "an album has at least two files");
    const rest = others.map(({ body }) => ({ client_id: newClientId(), body }));
    return this.#give(chatId, { body: first.body, files: given.flatMap((it) => it.files), rest }, options, given.flatMap((it) => it.bytes));
  }

  /**
   * Sends messages of one chat on into another, through the outbox. Those that stand in one album go together. `line` says what stands for a message
   * without words until it is stored, and `origin` what it will say of where it comes from; an empty one hides that.
   */
  forward(
    from: wire.ChatId,
    messages: readonly wire.Message[],
    to: wire.ChatId,
    options: { line: (message: wire.Message) => string; origin: (message: wire.Message) => wire.Forwarded },
  ): Sending[] {
    return byAlbum(messages).map(([first, ...others]) => {
      const also = others.map(({ seq }) => ({ client_id: newClientId(), seq }));
      const forward = { from, seq: first.seq, ...(also.length > 0 && { also }), origin: options.origin(first) };
      return this.#give(to, { body: placeholder(first.body) ?? textBody(options.line(first)), forward }, {});
    });
  }

  /** The bytes of a file of a message in the outbox, to show it while it is on its way. */
  async outgoingFile(clientId: string, index = 0): Promise<Blob | undefined> {
    return (await this.#do({ op: "file", clientId, index })) as Blob | undefined;
  }

  #give(chatId: wire.ChatId, what: Pick<OutboxItem, "body" | "preview" | "files" | "rest" | "forward">, options: SendOptions, files?: Blob[]): Sending {
    const clientId = options.clientId ?? newClientId();
    const at = Date.now();
    const order = (this.#lastOrder = Math.max(at, this.#lastOrder + 1));
    const reply = { ...(options.replyTo !== undefined && { reply_to: options.replyTo, ...(options.quote && { quote: options.quote }) }), ...(options.silent && { silent: true }), ...(options.thread !== undefined && { thread: options.thread }) };
    const item: OutboxItem = { client_id: clientId, chat_id: chatId, ...what, ...reply, at, order };
    const stored = this.#do({ op: "send", item, ...(files && { files }) }) as Promise<wire.Sent>;
    // Whoever does not await it is told by the event `outbox`.
    stored.catch(() => {});
    return { clientId, stored, then: (done, failed) => stored.then(done, failed) };
  }

  /** Takes a message back that was never written to a connection, or discards one that failed. False: it may be stored already. */
  async cancel(clientId: string): Promise<boolean> {
    return (await this.#do({ op: "cancel", clientId })) === true;
  }

  /** Tries a failed message again. */
  retry(clientId: string): void {
    void this.#do({ op: "retry", clientId }).catch(() => {});
  }

  /**
   * Messages around a place: up to `before` older than `seq` and `after` from it on, together at most 200. Those held
   * or cached are taken from there, so that it works offline for what was read before; the rest is asked for.
   */
  history(chatId: wire.ChatId, seq: wire.Seq, before: number, after: number): Promise<MessageView[]> {
    return historyPage(this, this.#backend, chatId, seq, before, after);
  }

  /** What others wrote after the own read mark, at most 200, the oldest first: for a bot that was away. */
  async unread(chatId: wire.ChatId): Promise<MessageView[]> {
    const chat = this.chat(chatId);
    if (!chat || chat.unread === 0) return [];
    const rows = await this.history(chatId, chat.readSeq + 1, 0, 200);
    return rows.filter(({ message }) => message.sender !== this.me?.id && message.body.kind !== "deleted" && message.body.kind !== "service");
  }

  // ---- Files -------------------------------------------------------------------------------------------------------

  /** Where the files of messages are to be had for a while, in the order asked; undefined for those that may not be read. Kept until they end. */
  async links(chatId: wire.ChatId, files: FileRef[]): Promise<(LinksOfFile | undefined)[]> {
    const links = await this.#allLinks();
    return Promise.all(files.map((it) => links.of(chatId, it)));
  }

  /** Reads a file of a message: `size` is `original` or the longer side of a smaller picture, `range` the first and the last byte. */
  async download(chatId: wire.ChatId, file: FileRef, options?: { size?: string; range?: [number, number?]; signal?: AbortSignal }): Promise<Response> {
    return (await this.#allLinks()).download(chatId, file, options);
  }

  /** Brings a file up and returns its id when the server has looked at it; for what no message names, such as the own picture. */
  async upload(file: Blob, options: { kind: wire.FileKind; name?: string; signal?: AbortSignal; onSent?: (bytes: number) => void }): Promise<wire.FileInfo> {
    const { token } = this.#view;
    if (token === undefined) throw stopError({ reason: "signed_out", message: "no token" });
    const { upload, whenReady } = await import("./files/tus.js");
    const id = await upload(file, { base: this.#endpoint.http, token, type: file.type, ...options });
    return whenReady(() => this.getFile(id), options.signal);
  }

  /** Brings a file up while it is made, such as a voice that is recorded; then `sendFile` with its id as `uploadId` and the whole of it. */
  async growing(options: { kind: wire.FileKind; name?: string; type?: string }): Promise<Growing> {
    const { token } = this.#view;
    if (token === undefined) throw stopError({ reason: "signed_out", message: "no token" });
    const { Growing } = await import("./files/tus.js");
    return new Growing({ base: this.#endpoint.http, token, ...options });
  }

  /** Where the picture of a user is, in 80 or 320 pixels. */
  pictureUrl(photo: wire.FileId, size: 80 | 320): string {
    return `${this.#endpoint.http}/files/avatar/${photo}/${size}`;
  }

  /** Where a sticker of a pack is: under the same address in every message that shows it. */
  stickerUrl(fileId: wire.FileId): string {
    return `${this.#endpoint.http}/files/sticker/${fileId}`;
  }

  #allLinks(): Promise<Links> {
    this.#links ??= import("./files/links.js").then(
      ({ Links }) => new Links(this.#endpoint.http, (chatId, files) => this.request("get_links", { chat_id: chatId, files })),
      (error: unknown) => {
        this.#links = undefined;
        throw error;
      },
    );
    return this.#links;
  }

  /** A scrollable stretch of a chat that keeps itself up to date. Close it when the chat is left. */
  timeline(chatId: wire.ChatId, options?: { limit?: number }): Timeline {
    return new Timeline(this, chatId, options);
  }

  /** Says that the user is writing. May be called for each key: it is told once in 5 s. */
  setTyping(chatId: wire.ChatId): void {
    const now = performance.now();
    if (now - (this.#typed.get(chatId) ?? -Infinity) < TYPING_EVERY) return;
    this.#typed.set(chatId, now);
    this.request("set_typing", { chat_id: chatId }).catch(() => {});
  }

  /** Replaces the users whose presence this client wants to hear of (with whom one has a direct chat, at most 200). */
  async watchPresence(userIds: wire.UserId[]): Promise<void> {
    await this.#do({ op: "watch", tab: this.#tab, userIds });
  }

  async request<M extends keyof wire.Commands>(method: M, params: wire.Commands[M]["params"], options: Asking = {}): Promise<wire.Commands[M]["reply"]> {
    return (await this.ask(method, params, "none", options)) as wire.Commands[M]["reply"];
  }

  /** Asks over HTTP, by a request that outlives the page, and waits for nothing: for a page that goes. */
  requestHttp<M extends keyof wire.Commands>(method: M, params: wire.Commands[M]["params"]): void {
    const { token } = this.#view;
    if (token !== undefined) post(this.#endpoint.http, `/api/v1/call/${method}`, params, token, true).catch(() => {});
  }

  protected ask(method: string, params: unknown, effect: Effect, { signal }: Asking = {}): Promise<unknown> {
    const op = { op: "request", method, params, effect } as const;
    if (!signal) return this.#do(op);
    const given = (): ChaparError => new ChaparError("cancelled", "the caller no longer waits");
    if (signal.aborted) return Promise.reject(given());
    const key = newClientId();
    return new Promise((resolve, reject) => {
      const abandon = (): void => {
        reject(given());
        this.#do({ op: "abandon", key }).catch(() => {});
      };
      signal.addEventListener("abort", abandon, { once: true });
      const release = (): void => signal.removeEventListener("abort", abandon);
      this.#do({ ...op, key }).then(resolve, reject).then(release);
    });
  }

  get #view(): View {
    return this.#backend.view;
  }

  #do(op: Op): Promise<unknown> {
    return this.#backend.do(op);
  }

  async #signedIn(answer: unknown): Promise<wire.User> {
    const { token, user } = answer as wire.SignedIn;
    if (typeof token !== "string" || typeof user?.id !== "number") throw new ChaparError("bad_reply", "an answer that cannot be read");
    try {
      await this.#do({ op: "token", token, user });
    } catch (error) {
      // The device that was just made is of no use.
      await post(this.#endpoint.http, "/api/v1/sign-out", {}, token).catch(() => {});
      throw error;
    }
    return user;
  }

  /** A network that came back, or a page that is looked at again, is a reason to hurry. */
  #listen(): () => void {
    const scope = globalThis as Partial<Window & typeof globalThis>;
    if (!scope.addEventListener || !scope.document) return () => {};
    const { document } = scope;
    const hurry = (): void => this.hurry();
    const seen = (): void => {
      if (document.visibilityState === "visible") this.hurry();
      else save();
    };
    const save = (): void => void this.#backend.save().catch(() => {});
    addEventListener("online", hurry);
    addEventListener("pagehide", save);
    document.addEventListener("visibilitychange", seen);
    return () => {
      removeEventListener("online", hurry);
      removeEventListener("pagehide", save);
      document.removeEventListener("visibilitychange", seen);
    };
  }
}

/** Messages in their order, those together that follow each other in one album. */
function byAlbum(messages: readonly wire.Message[]): [wire.Message, ...wire.Message[]][] {
  const groups: [wire.Message, ...wire.Message[]][] = [];
  for (const message of messages) {
    const album = "album" in message.body ? message.body.album : undefined;
    const last = groups.at(-1);
    const before = last && "album" in last[0].body ? last[0].body.album : undefined;
    if (last && album !== undefined && album === before) last.push(message);
    else groups.push([message]);
  }
  return groups;
}

/** A body that can stand for another one while that is on its way: what has no file stands for itself. */
function placeholder(body: wire.Body): wire.NewBody | undefined {
  const plain = body.kind === "text" || body.kind === "location" || body.kind === "contact";
  return plain ? (body as wire.NewBody) : undefined;
}
