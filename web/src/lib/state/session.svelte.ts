import { Client, type Audience, type ChatView, type ClientEvent, type Connection, type Hidden, type ItemKind, type ItemOf, type Member, type Message, type Outgoing, type Presence, type User } from '@chapar/client';
import { SvelteMap } from 'svelte/reactivity';
import { t } from '../i18n/index.svelte';
import { Chats } from './chats.svelte';
import { Watching } from './watching';

export type Permission = Parameters<Client['audience']>[0];

/** How long a `typing` holds, in milliseconds. */
const TYPING = 6_000;

/** Told a hundred times a minute in large groups, and of no chat's line anything but what is noted apart. */
const FLEETING: ReadonlySet<ClientEvent['type']> = new Set(['typing', 'presence', 'call_signal', 'preference']);

/**
 * What the screens read of the SDK's client: chats one by one, everything else replaced as a whole when something in it
 * changed. The changes of one batch of events are gathered into one.
 */
class Session {
  #client: Client | undefined;
  /** What changed since the screens were told; `all` where anything may have. */
  #dirty: { all: boolean; chats: Set<number>; outbox: boolean } | undefined;
  readonly #chats = new Chats();
  /** The members of chats, as they were asked for; another number when some may have changed. */
  #members = new Map<number, readonly Member[]>();
  #joined = new SvelteMap<number, number>();
  readonly #waiting = $derived.by(() => new Map(this.outbox.map((out) => [out.item.chat_id, out])));
  readonly #watching = new Watching((userIds) => this.client.watchPresence(userIds));
  #typingTimers = new Map<string, ReturnType<typeof setTimeout>>();
  #people = $state(0);
  #items = $state(0);

  ready = $state(false);
  me = $state.raw<User | undefined>();
  signedIn = $state(false);
  connection = $state.raw<Connection>({ state: 'connecting' });
  inStep = $state(false);
  persistent = $state(true);
  outbox = $state.raw<Outgoing[]>([]);
  /** What the device says of its network: it knows before the connection notices. */
  deviceOnline = $state(navigator.onLine);
  presences = new SvelteMap<number, Presence>();
  /** Chat to those who write in it now. */
  typing = new SvelteMap<number, readonly number[]>();

  get client(): Client {
    if (!this.#client) throw new Error('the client is not open yet');
    return this.#client;
  }

  async open(): Promise<void> {
    const client = await Client.open();
    this.#client = client;
    client.on('*', (event) => this.#touch(event));
    client.on('users', () => (this.#people += 1));
    client.on('item', () => (this.#items += 1));
    client.on('reset', () => (this.#items += 1));
    client.on('presence', ({ userId, presence }) => this.presences.set(userId, presence));
    client.on('typing', ({ chatId, userId }) => this.#typed(chatId, userId));
    client.on('message', ({ chatId, message }) => this.#wrote(chatId, message.sender));
    addEventListener('online', () => this.#network(true));
    addEventListener('offline', () => this.#network(false));
    this.#refresh({ all: true, chats: new Set(), outbox: true });
    this.ready = true;
  }

  /** Whether what is said of others may be old: nothing comes from the server now. */
  get away(): boolean {
    return !this.deviceOnline || this.connection.state === 'offline' || this.connection.state === 'connecting';
  }

  /** One chat, also a request: whoever reads it is told of this one alone. */
  chat(chatId: number): ChatView | undefined {
    return this.#chats.get(chatId);
  }

  /** The chats' ids, the one with the newest message first. */
  get order(): readonly number[] {
    return this.#chats.order;
  }

  /** All chats in this order; whoever reads it is told of each change in any of them. */
  get chats(): ChatView[] {
    return this.#chats.all(this.#chats.order);
  }

  /** Chats that strangers have begun: apart from the others until they are accepted. */
  get requests(): ChatView[] {
    return this.#chats.all(this.#chats.requests);
  }

  /** Another number whenever a chat comes or goes, or is called otherwise: for what looks at the names of all. */
  get named(): number {
    return this.#chats.named;
  }

  /** The last message on its way in a chat. */
  waiting(chatId: number): Outgoing | undefined {
    return this.#waiting.get(chatId);
  }

  /** The members of a chat as far as told; how far each has read is not told anew. */
  members(chatId: number): readonly Member[] {
    void this.#joined.get(chatId);
    let members = this.#members.get(chatId);
    if (!members) this.#members.set(chatId, (members = this.client.members(chatId)));
    return members;
  }

  /** Somebody's name; asked for when it is not known, and shown when it comes. */
  name(userId: number): string {
    void this.#people;
    if (userId === this.me?.id) return this.me.name;
    return this.#client?.user(userId)?.name ?? t().common.unknownPerson;
  }

  user(userId: number): User | undefined {
    void this.#people;
    return userId === this.me?.id ? this.me : this.#client?.user(userId);
  }

  /** Somebody's own picture; asked for when it is not known, and shown when it comes. */
  photo(userId: number | undefined): string | undefined {
    return userId === undefined ? undefined : this.user(userId)?.photo;
  }

  /** What stands for a chat: the other's picture, or its own. A stranger's is not shown before one has accepted them. */
  picture(chat: ChatView): string | undefined {
    if (chat.info.kind !== 'direct') return chat.info.photo;
    return chat.request ? undefined : this.photo(chat.peer);
  }

  isNotes(chat: ChatView): boolean {
    return chat.info.kind === 'direct' && chat.peer === this.me?.id;
  }

  /** Whom one can call from a chat. */
  callee(chat: ChatView): number | undefined {
    if (chat.info.kind !== 'direct' || this.isNotes(chat) || chat.request || chat.peer === undefined) return undefined;
    return this.isBlocked(chat.peer) ? undefined : chat.peer;
  }

  isBlocked(userId: number): boolean {
    void this.#items;
    return this.client.item('block', userId) !== undefined;
  }

  /** Those whom this person has blocked. */
  get blocked(): number[] {
    void this.#items;
    return this.client.items('block').map((item) => item.user_id);
  }

  /** All that this person has set of a kind. */
  items<K extends ItemKind>(kind: K): ItemOf<K>[] {
    void this.#items;
    return this.client.items(kind);
  }

  /** The messages of a chat that this person has deleted for themselves. */
  hidden(chatId: number): Hidden | undefined {
    void this.#items;
    return this.client.item('hidden', chatId);
  }

  /** Who may do something, by this person's settings. */
  audience(setting: Permission): Audience {
    void this.#items;
    return this.client.audience(setting);
  }

  title(chat: ChatView): string {
    if (this.isNotes(chat)) return t().list.saved;
    if (chat.info.kind === 'direct') return chat.peer === undefined ? t().common.unknownPerson : this.name(chat.peer);
    return chat.info.title ?? '';
  }

  /** Another number whenever something is read in a chat, or comes to it. */
  get unreadMoved(): number {
    return this.#chats.unreadMoved;
  }

  #touch(event: ClientEvent): void {
    const { type } = event;
    if (FLEETING.has(type)) return;
    if (!this.#dirty) {
      this.#dirty = { all: false, chats: new Set(), outbox: false };
      queueMicrotask(() => {
        const dirty = this.#dirty;
        this.#dirty = undefined;
        if (dirty) this.#refresh(dirty);
      });
    }
    if (type === 'reset' || type === 'connection') this.#dirty.all = true;
    else if (type === 'outbox') this.#dirty.outbox = true;
    else if ('chatId' in event) this.#dirty.chats.add(event.chatId);
    else if (event.type === 'item' && event.item.kind === 'hidden') this.#dirty.chats.add(event.item.chat_id);
    if (type === 'member' || type === 'replaced' || type === 'gone') this.#joinedOf(event.chatId);
    else if (type === 'reset') for (const chatId of [...this.#members.keys()]) this.#joinedOf(chatId);
  }

  #joinedOf(chatId: number): void {
    if (this.#members.delete(chatId)) this.#joined.set(chatId, (this.#joined.get(chatId) ?? 0) + 1);
  }

  #refresh({ all, chats, outbox }: { all: boolean; chats: Set<number>; outbox: boolean }): void {
    const client = this.client;
    this.me = client.me;
    this.connection = client.connection;
    this.inStep = client.inStep;
    this.persistent = client.persistent;
    this.signedIn = client.token !== undefined && client.connection.state !== 'stopped' ? true : this.#stillIn(client);
    const { order } = this;
    if (all) this.#chats.replace(client.chats());
    else {
      for (const chatId of chats) {
        const chat = client.chat(chatId);
        // One without a role has not been told of in full.
        this.#chats.put(chatId, chat?.role === undefined ? undefined : chat);
      }
    }
    if (all || outbox) this.outbox = client.outbox();
    if (all || this.order !== order) this.#watch();
  }

  /** A session that ended for another reason than signing out keeps what it has on the screen. */
  #stillIn(client: Client): boolean {
    const { connection } = client;
    if (client.token === undefined) return false;
    return !(connection.state === 'stopped' && connection.stop.reason === 'signed_out');
  }

  #network(online: boolean): void {
    this.deviceOnline = online;
    this.#watch();
  }

  /** Watches who is online; when nothing can be heard of them, all that is known is when they were last seen. */
  #watch(): void {
    if (this.connection.state !== 'online' || !this.deviceOnline) {
      this.#watching.lost();
      const now = new Date().toISOString();
      for (const [id, presence] of this.presences) if (presence.online) this.presences.set(id, { ...presence, online: false, last_seen_at: now });
      for (const chatId of [...this.typing.keys()]) this.typing.delete(chatId);
      return;
    }
    this.#watching.set(this.chats.map((chat) => chat.peer).filter((peer) => peer !== undefined && peer !== this.me?.id) as number[]);
  }

  #wrote(chatId: number, userId: number): void {
    this.#silent(chatId, userId);
    if (this.chat(chatId)?.peer === userId && !this.presences.has(userId)) this.#watching.answered(userId);
  }

  #typed(chatId: number, userId: number): void {
    if (userId === this.me?.id) return;
    const now = this.typing.get(chatId) ?? [];
    if (!now.includes(userId)) this.typing.set(chatId, [...now, userId]);
    const key = `${chatId}:${userId}`;
    clearTimeout(this.#typingTimers.get(key));
    this.#typingTimers.set(key, setTimeout(() => this.#silent(chatId, userId), TYPING));
  }

  #silent(chatId: number, userId: number): void {
    const key = `${chatId}:${userId}`;
    clearTimeout(this.#typingTimers.get(key));
    this.#typingTimers.delete(key);
    const now = this.typing.get(chatId);
    if (!now?.includes(userId)) return;
    const left = now.filter((id) => id !== userId);
    if (left.length > 0) this.typing.set(chatId, left);
    else this.typing.delete(chatId);
  }
}

export const session = new Session();

/** What somebody has written in a body, as text or under a file; under a file there may be nothing. */
export function textOf({ body }: Pick<Message, 'body'>): string | undefined {
  if ('text' in body && typeof body.text === 'string') return body.text;
  return 'file' in body && body.kind !== 'round' && body.kind !== 'sticker' ? '' : undefined;
}
