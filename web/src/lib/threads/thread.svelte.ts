import { ChaparError, type Message, type MessageView, type Outgoing } from '@chapar/client';
import { session } from '../state/session.svelte';

/** Messages that are asked for at a time. */
const PAGE = 50;

/** What is said under one post, kept up to date while it is looked at. */
export class Thread {
  readonly chatId: number;
  readonly root: number;
  /** The post as it stands in the group. */
  head = $state.raw<MessageView | undefined>();
  /** The comments, by seq. */
  rows = $state.raw<readonly MessageView[]>([]);
  outgoing = $state.raw<readonly Outgoing[]>([]);
  /** There may be older ones. */
  older = $state(false);
  loading = $state(true);
  /** It cannot be had: it is gone, or there is no network. */
  failed = $state<'gone' | 'away' | undefined>();
  readonly #off: (() => void)[];
  #stale = false;

  constructor(chatId: number, root: number) {
    this.chatId = chatId;
    this.root = root;
    const { client } = session;
    this.#off = [
      client.on('message', (event) => event.chatId === chatId && this.#take(event.message)),
      client.on('changed', (event) => event.chatId === chatId && this.#take(event.message)),
      client.on('reacted', (event) => event.chatId === chatId && event.reacted.user_id === session.me?.id && this.#react(event.reacted.seq, event.reacted.emoji)),
      client.on('outbox', (event) => event.chatId === chatId && this.#leaving()),
      // What came meanwhile was not heard of one by one.
      client.on('replaced', (event) => event.chatId === chatId && void this.load()),
      client.on('connection', ({ connection }) => connection.state === 'online' && (this.#stale || this.failed === 'away') && void this.load()),
    ];
    this.#leaving();
    void this.load();
  }

  close(): void {
    for (const off of this.#off) off();
  }

  /** The last comments, from scratch. */
  async load(): Promise<void> {
    this.loading = true;
    try {
      const page = await session.client.thread(this.chatId, this.root, Number.MAX_SAFE_INTEGER, PAGE, 0);
      this.#show(page, []);
      this.older = page.length > PAGE;
      this.failed = undefined;
      this.#stale = false;
    } catch (error) {
      this.#stale = true;
      this.failed = error instanceof ChaparError && ['message_not_found', 'chat_not_found'].includes(error.code) ? 'gone' : 'away';
    } finally {
      this.loading = false;
    }
  }

  async loadOlder(): Promise<void> {
    const first = this.rows[0]?.message.seq;
    if (this.loading || !this.older || first === undefined) return;
    this.loading = true;
    try {
      const page = await session.client.thread(this.chatId, this.root, first, PAGE, 0);
      this.#show(page, this.rows);
      this.older = page.length > PAGE;
    } catch {
      // Asked for again by whoever scrolls there.
    } finally {
      this.loading = false;
    }
  }

  quoted(seq: number): Message | null | undefined {
    if (seq === this.root) return this.head?.message ?? null;
    return this.rows.find(({ message }) => message.seq === seq)?.message ?? null;
  }

  #show(page: readonly MessageView[], after: readonly MessageView[]): void {
    this.head = page.find(({ message }) => message.seq === this.root) ?? this.head;
    // What came while the page was under way is newer than it.
    const known = new Map([...page, ...after, ...this.rows].map((row) => [row.message.seq, row]));
    for (const row of page) if ((known.get(row.message.seq)?.message.version ?? 0) < row.message.version) known.set(row.message.seq, row);
    this.rows = [...known.values()].filter(({ message }) => message.seq !== this.root && message.body.kind !== 'deleted').sort((a, b) => a.message.seq - b.message.seq);
  }

  #take(message: Message): void {
    if (message.seq === this.root) this.head = { message, myReaction: this.head?.myReaction };
    const at = this.rows.findIndex((row) => row.message.seq === message.seq);
    if (at >= 0) this.rows = message.body.kind === 'deleted' ? this.rows.filter((_, place) => place !== at) : this.rows.map((row, place) => (place === at ? { message, myReaction: row.myReaction } : row));
    else if (message.thread === this.root && message.seq > (this.rows.at(-1)?.message.seq ?? 0)) this.rows = [...this.rows, { message, myReaction: undefined }];
    this.#leaving();
  }

  #react(seq: number, emoji: string | undefined): void {
    this.rows = this.rows.map((row) => (row.message.seq === seq ? { ...row, myReaction: emoji } : row));
  }

  #leaving(): void {
    const there = new Set(this.rows.map(({ message }) => message.client_id));
    this.outgoing = session.client.outbox(this.chatId).filter(({ item }) => item.thread === this.root && !there.has(item.client_id));
  }
}
