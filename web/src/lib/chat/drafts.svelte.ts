import { SvelteMap } from 'svelte/reactivity';
import { session } from '../state/session.svelte';
import { drop, keep, keys, load, PREFIX } from '../state/storage';

/** What was begun in a chat and not sent: the one truth of it, for all tabs, and for the page that is loaded anew. */
export interface Draft {
  text: string;
  replyTo?: number;
  /** A message of one's own that is being edited; the draft waits meanwhile. */
  edit?: { seq: number; text: string };
}

/** How long keys gather before they go into the store and to the other tabs, in milliseconds. */
const GATHER = 150;
/** Where a draft waits that a page left behind: written at once, while IndexedDB drops what it has not done when a page goes. */
const left = (chatId: number | ''): string => `draft.${session.me?.id ?? 0}.${chatId}`;

class Drafts {
  #map = new SvelteMap<number, Draft>();
  #looked = new Set<number>();
  /** Chats in which something was typed that is not in the store yet: it counts for more than what other tabs say. */
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #writing = new Map<number, number>();
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
    this.#takeOver();
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
    const draft: Draft = { text, ...(replyTo !== undefined && { replyTo }), ...(edit !== undefined && { edit }) };
    const empty = draft.text.trim() === '' && draft.replyTo === undefined && draft.edit === undefined;
    if (empty && !before) return;
    if (empty) this.#map.delete(chatId);
    else this.#map.set(chatId, draft);
    clearTimeout(this.#timers.get(chatId));
    this.#timers.set(chatId, setTimeout(() => this.#write(chatId), GATHER));
    if (atOnce) this.#write(chatId);
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
  if ('replyTo' in kept && typeof kept.replyTo === 'number') draft.replyTo = kept.replyTo;
  const edit = 'edit' in kept ? (kept.edit as { seq?: unknown; text?: unknown } | null) : undefined;
  if (typeof edit?.seq === 'number' && typeof edit.text === 'string') draft.edit = { seq: edit.seq, text: edit.text };
  return draft;
}

export const drafts = new Drafts();
