import type { ItemValue, Quote } from '@chapar/client';
import { parseMarkup, toMarkup } from '@chapar/client/text';
import { SvelteMap } from 'svelte/reactivity';
import { session } from '../state/session.svelte';
import { drop, keep, keys, load, PREFIX } from '../state/storage';

/** What was begun in a chat and not sent: the one truth of it, for all tabs, and for the page that is loaded anew. */
export interface Draft {
  text: string;
  replyTo?: number;
  /** Which words of that it is about. */
  quote?: Quote;
  /** A message of one's own that is being edited; the draft waits meanwhile. */
  edit?: { seq: number; text: string };
  /** The server has it so: what another device says is newer. */
  kept?: true;
}

/** How long keys gather before they go into the store and to the other tabs, in milliseconds. */
const GATHER = 150;
/** How long until they go to the other devices: they see what one has begun, and not each key. */
const TELL = 1_500;
/** Where a draft waits that a page left behind: written at once, while IndexedDB drops what it has not done when a page goes. */
const left = (chatId: number | ''): string => `draft.${session.me?.id ?? 0}.${chatId}`;

class Drafts {
  #map = new SvelteMap<number, Draft>();
  #looked = new Set<number>();
  /** Chats in which something was typed that is not in the store yet: it counts for more than what other tabs say. */
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #writing = new Map<number, number>();
  /** What is told to the other devices before long. */
  #telling = new Map<number, ReturnType<typeof setTimeout>>();
  /** The page goes: a write that ends now may have been dropped, and says so to nobody. */
  #going = false;

  start(): void {
    session.client.on('preference', ({ key }) => {
      const chatId = Number(/^draft:(\d+)$/.exec(key)?.[1]);
      if (Number.isSafeInteger(chatId)) this.#read(chatId);
    });
    session.client.on('reset', () => {
      for (const chatId of this.#looked) this.#read(chatId);
    });
    session.client.on('item', ({ item }) => item.kind === 'draft' && this.#hear(item.chat_id, item.value));
    session.client.on('connection', ({ connection }) => connection.state === 'online' && this.#tellAll());
    for (const { chat_id, value } of session.client.items('draft')) this.#hear(chat_id, value);
    this.#takeOver();
    if (session.connection.state === 'online') this.#tellAll();
    // Another tab has gone while this one stays.
    addEventListener('storage', ({ key }) => key?.startsWith(PREFIX + left('')) && this.#takeOver());
    addEventListener('pagehide', () => {
      this.#going = true;
      this.#leave();
    });
    addEventListener('pageshow', () => {
      this.#going = false;
      this.#takeOver();
    });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.#leave());
  }

  get(chatId: number): Draft | undefined {
    if (!this.#looked.has(chatId)) queueMicrotask(() => this.#look(chatId));
    return this.#map.get(chatId);
  }

  /** The same, without waiting for a turn: for the composer, which begins with it. */
  begin(chatId: number): void {
    this.#look(chatId);
  }

  /** Changes parts of a draft; what is `undefined` goes. At once, or when no further key has come for a moment. */
  change(chatId: number, change: { [Part in keyof Draft]?: Draft[Part] | undefined }, atOnce = true): void {
    this.#look(chatId);
    const before = this.#map.get(chatId);
    const { text = '', replyTo, edit } = { ...before, ...change };
    // A quote belongs to the answer with which it came.
    const { quote } = 'replyTo' in change ? change : (before ?? {});
    const same = before !== undefined && said(before) === said({ text, ...(replyTo !== undefined && { replyTo }) });
    const draft: Draft = { text, ...(replyTo !== undefined && { replyTo, ...(quote && { quote }) }), ...(edit !== undefined && { edit }), ...(same && before.kept && { kept: true }) };
    if (!same) this.#tellSoon(chatId, text === '' ? 0 : TELL);
    const empty = draft.text.trim() === '' && draft.replyTo === undefined && draft.edit === undefined;
    if (empty && !before) return;
    if (empty) this.#map.delete(chatId);
    else this.#map.set(chatId, draft);
    clearTimeout(this.#timers.get(chatId));
    this.#timers.set(chatId, setTimeout(() => this.#write(chatId), GATHER));
    if (atOnce) this.#write(chatId);
  }

  #tellSoon(chatId: number, after: number): void {
    clearTimeout(this.#telling.get(chatId));
    this.#telling.set(chatId, setTimeout(() => void this.#tell(chatId), after));
  }

  /** What was written without a network, or just before the page went, is told now. */
  #tellAll(): void {
    for (const { id } of session.client.chats()) {
      const kept = this.#map.get(id) ?? readDraft(session.client.preference(`draft:${id}`));
      if (kept && kept.kept === undefined && kept.text.trim() !== '') {
        this.#look(id);
        this.#tellSoon(id, 0);
      }
    }
  }

  /** Tells the other devices; without a network it waits until there is one. */
  async #tell(chatId: number): Promise<void> {
    this.#telling.delete(chatId);
    const draft = this.#map.get(chatId);
    const value = draft && valueOf(draft);
    // Taken back is only what is there: a field that was emptied before it was told of is nobody's business.
    if (value === undefined && session.client.item('draft', chatId) === undefined) return;
    try {
      await session.client.setItem('draft', chatId, value);
    } catch {
      return;
    }
    const now = this.#map.get(chatId);
    if (!now || !draft || said(now) !== said(draft) || now.kept) return;
    this.#map.set(chatId, { ...now, kept: true });
    this.#write(chatId);
  }

  /** What a device of this person says, perhaps this one: it counts where nothing newer was written here. */
  #hear(chatId: number, value: ItemValue<'draft'> | undefined): void {
    this.#look(chatId);
    const here = this.#map.get(chatId);
    if (this.#telling.has(chatId) || this.#timers.has(chatId)) return;
    const told = value ? toMarkup({ text: value.text.text, entities: value.text.entities ?? [] }) : '';
    if (alike(here && valueOf(here), value)) return;
    // Not told of yet: it was written without a network.
    if (here && here.text.trim() !== '' && here.kept === undefined) return;
    const { edit } = here ?? {};
    const draft: Draft = { text: told, ...(value?.reply_to !== undefined && { replyTo: value.reply_to }), ...(edit !== undefined && { edit }), kept: true };
    if (told === '' && edit === undefined) this.#map.delete(chatId);
    else this.#map.set(chatId, draft);
    this.#write(chatId);
  }

  /** The page may go at any moment: what is not in the store is put where it is safe at once. */
  #leave(): void {
    const writing = [...this.#writing].filter(([, count]) => count > 0).map(([chatId]) => chatId);
    for (const chatId of new Set([...this.#timers.keys(), ...writing])) {
      keep(left(chatId), JSON.stringify(this.#map.get(chatId) ?? null));
      this.#write(chatId);
    }
  }

  /** What a page left behind goes into the store, unless something newer is being typed here. */
  #takeOver(): void {
    for (const key of keys(left(''))) {
      const chatId = Number(key.slice(left('').length));
      if (this.#timers.has(chatId)) continue;
      const draft = readDraft(parse(load(key)));
      if (draft) this.#map.set(chatId, draft);
      else this.#map.delete(chatId);
      this.#looked.add(chatId);
      this.#write(chatId);
    }
  }

  #write(chatId: number): void {
    clearTimeout(this.#timers.get(chatId));
    this.#timers.delete(chatId);
    this.#writing.set(chatId, (this.#writing.get(chatId) ?? 0) + 1);
    const draft = this.#map.get(chatId);
    void session.client
      .setPreference(`draft:${chatId}`, draft === undefined ? undefined : { ...draft })
      .then(() => this.#going || drop(left(chatId)))
      .catch(() => {})
      .finally(() => this.#writing.set(chatId, (this.#writing.get(chatId) ?? 1) - 1));
  }

  #look(chatId: number): void {
    if (this.#looked.has(chatId)) return;
    this.#looked.add(chatId);
    this.#read(chatId);
  }

  #read(chatId: number): void {
    if (this.#timers.has(chatId) || (this.#writing.get(chatId) ?? 0) > 0) return;
    const kept = readDraft(session.client.preference(`draft:${chatId}`));
    if (JSON.stringify(kept) === JSON.stringify(this.#map.get(chatId))) return;
    if (kept) this.#map.set(chatId, kept);
    else this.#map.delete(chatId);
  }
}

const said = ({ text, replyTo }: Draft): string => JSON.stringify([text, replyTo]);

/** Whether two say the same but for white space around it, which the server may have taken off. */
const alike = (a: ItemValue<'draft'> | undefined, b: ItemValue<'draft'> | undefined): boolean =>
  JSON.stringify(a && [a.text.text.trim(), a.text.entities ?? [], a.reply_to]) === JSON.stringify(b && [b.text.text.trim(), b.text.entities ?? [], b.reply_to]);

/** A draft as the server keeps it; nothing where there are no words. */
function valueOf({ text, replyTo }: Draft): ItemValue<'draft'> | undefined {
  const { text: plain, entities } = parseMarkup(text);
  if (plain.trim() === '') return undefined;
  return { text: { text: plain, ...(entities.length > 0 && { entities }) }, ...(replyTo !== undefined && { reply_to: replyTo }) };
}

function parse(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? 'null');
  } catch {
    return undefined;
  }
}

/** What the store gives: it may be of another version of the app. */
function readDraft(kept: unknown): Draft | undefined {
  if (typeof kept !== 'object' || kept === null || !('text' in kept) || typeof kept.text !== 'string') return undefined;
  const draft: Draft = { text: kept.text };
  if ('kept' in kept && kept.kept === true) draft.kept = true;
  if ('replyTo' in kept && typeof kept.replyTo === 'number') draft.replyTo = kept.replyTo;
  const quote = draft.replyTo !== undefined && 'quote' in kept ? (kept.quote as Partial<Quote> | null) : undefined;
  if (typeof quote?.text === 'string' && typeof quote.offset === 'number') draft.quote = { text: quote.text, offset: quote.offset };
  const edit = 'edit' in kept ? (kept.edit as { seq?: unknown; text?: unknown } | null) : undefined;
  if (typeof edit?.seq === 'number' && typeof edit.text === 'string') draft.edit = { seq: edit.seq, text: edit.text };
  return draft;
}

export const drafts = new Drafts();
