import type { Message, MessageView, Outgoing, Quote, Timeline } from '@chapar/client';
import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import { session, textOf } from '../state/session.svelte';
import { toMarkup } from '@chapar/client/text';
import { type Draft, drafts } from './drafts.svelte';

/** Messages in the page at most: the window slides over the rest. */
const WINDOW = 160;
const STEP = 30;
/** How long it waits after a page that was refused, in milliseconds. */
const AGAIN = 2_000;

/** One open chat: its window of messages, what is selected, answered or edited in it. */
export class Feed {
  readonly chatId: number;
  readonly #timeline: Timeline;
  readonly #off: (() => void)[] = [];
  rows = $state.raw<readonly MessageView[]>([]);
  outgoing = $state.raw<readonly Outgoing[]>([]);
  atStart = $state(false);
  atEnd = $state(true);
  loading = $state<'older' | 'newer' | 'jump' | undefined>();
  /** Older or newer messages are neither here nor to be had: no network. */
  missing = $state(false);
  /** The stretch was replaced as a whole this many times: what is on the screen has no anchor in it. */
  moves = $state(0);

  selected = new SvelteSet<number>();
  selecting = $state(false);
  #quotes = new SvelteMap<number, Message | null>();
  /** The jump that is under way. */
  #jump: { seq: number; done: Promise<void> } | undefined;

  constructor(chatId: number) {
    this.chatId = chatId;
    this.#timeline = session.client.timeline(chatId, { limit: WINDOW });
    this.#off.push(
      this.#timeline.onChange((change) => {
        if (change === 'moved') this.moves += 1;
        this.#take();
      }),
      session.client.on('outbox', (event) => event.chatId === chatId && this.#take()),
      session.client.on('message', (event) => event.chatId === chatId && this.#take()),
      // A message quoted from outside of the window may be edited or deleted, too.
      session.client.on('changed', (event) => event.chatId === chatId && this.#requote(event.message)),
      session.client.on('connection', ({ connection }) => {
        if (connection.state === 'online') this.missing = false;
      }),
    );
    this.#take();
  }

  /** What one answers or edits belongs to the draft: it is there again in another tab, after another chat, after a reload. */
  get replyTo(): number | undefined {
    return drafts.get(this.chatId)?.replyTo;
  }

  set replyTo(seq: number | undefined) {
    drafts.change(this.chatId, seq === undefined ? { replyTo: undefined } : { replyTo: seq, edit: undefined });
  }

  /** What is answered, as it is given with what is sent: a message, and which words of it if only some. */
  get answered(): Pick<Draft, 'replyTo' | 'quote'> {
    const { replyTo, quote } = drafts.get(this.chatId) ?? {};
    return { ...(replyTo !== undefined && { replyTo }), ...(quote && { quote }) };
  }

  /** Answers some words of a message. */
  answer(seq: number, quote: Quote): void {
    drafts.change(this.chatId, { replyTo: seq, quote, edit: undefined });
  }

  get editing(): number | undefined {
    return drafts.get(this.chatId)?.edit?.seq;
  }

  set editing(seq: number | undefined) {
    const message = seq === undefined ? undefined : this.row(seq)?.message;
    const text = message && textOf(message);
    if (message === undefined || text === undefined) {
      drafts.change(this.chatId, { edit: undefined });
      return;
    }
    const entities = 'entities' in message.body && Array.isArray(message.body.entities) ? message.body.entities : [];
    drafts.change(this.chatId, { edit: { seq: message.seq, text: toMarkup({ text, entities }) } });
  }

  close(): void {
    for (const off of this.#off) off();
    this.#timeline.close();
  }

  older(): Promise<void> {
    return this.#load('older', () => this.#timeline.loadOlder(STEP));
  }

  newer(): Promise<void> {
    return this.#load('newer', () => this.#timeline.loadNewer(STEP));
  }

  /** Makes the window hold a message; says whether it does then. */
  async around(seq: number): Promise<boolean> {
    // Asked for again while it is on its way, as by a page that changes meanwhile: a second jump would make the first void,
    // and the next one the second, without end.
    if (this.#jump?.seq !== seq) {
      const jump = { seq, done: this.#load('jump', () => this.#timeline.loadAround(seq, STEP * 2)) };
      this.#jump = jump;
      void jump.done.finally(() => {
        if (this.#jump === jump) this.#jump = undefined;
      });
    }
    await this.#jump.done;
    return this.rows.some((row) => row.message.seq === seq);
  }

  toEnd(): void {
    this.#timeline.toEnd();
    this.#take();
  }

  row(seq: number): MessageView | undefined {
    const first = this.rows[0]?.message.seq ?? 0;
    return this.rows[seq - first];
  }

  /** A message that another answers: from the window, else asked for once. `null`: it cannot be had. */
  quoted(seq: number): Message | null | undefined {
    if (session.client.isHidden(this.chatId, seq)) return null;
    const here = this.row(seq)?.message;
    if (here?.seq === seq) return here;
    const known = this.#quotes.get(seq);
    if (known !== undefined) return known;
    queueMicrotask(() => void this.#fetchQuote(seq));
    return undefined;
  }

  /** Selects, or no longer, what stands as one thing on the screen: a message, or all of an album. */
  toggle(seqs: readonly number[]): void {
    const off = seqs.every((each) => this.selected.has(each));
    for (const each of seqs) {
      if (off) this.selected.delete(each);
      else this.selected.add(each);
    }
    if (this.selected.size === 0) this.selecting = false;
  }

  #requote(message: Message): void {
    const known = this.#quotes.get(message.seq);
    if (known !== undefined && (known?.version ?? 0) < message.version) this.#quotes.set(message.seq, message);
  }

  async #fetchQuote(seq: number): Promise<void> {
    if (this.#quotes.has(seq)) return;
    this.#quotes.set(seq, null);
    try {
      const [view] = await session.client.history(this.chatId, seq, 0, 1);
      // A change may have come meanwhile.
      if (view?.message.seq === seq && (this.#quotes.get(seq)?.version ?? 0) < view.message.version) this.#quotes.set(seq, view.message);
    } catch {
      // Offline: asked again when the chat is opened next.
    }
  }

  async #load(what: 'older' | 'newer' | 'jump', work: () => Promise<void>): Promise<void> {
    if (this.loading === what && what !== 'jump') return;
    this.loading = what;
    try {
      await work();
      this.missing = false;
    } catch {
      this.missing = true;
      // With a network it was a refusal that passes: asked again, and not taken for the end of the world.
      if (!session.away) setTimeout(() => (this.missing = false), AGAIN);
    } finally {
      if (this.loading === what) this.loading = undefined;
      this.#take();
    }
  }

  #take(): void {
    const { rows, outgoing, atStart, atEnd } = this.#timeline;
    this.rows = rows;
    // The timeline gathers it anew each time; whoever shows it need not draw everything anew for that.
    if (outgoing.length !== this.outgoing.length || outgoing.some((each, at) => each !== this.outgoing[at])) this.outgoing = outgoing;
    this.atStart = atStart;
    this.atEnd = atEnd;
  }
}
