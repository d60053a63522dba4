import { SvelteMap } from 'svelte/reactivity';
import { session } from '../state/session.svelte';

export interface Draft {
  text: string;
  replyTo?: number;
}

/** What was begun and not sent, by chat. Kept in the store at every key, so that closing the page loses nothing. */
class Drafts {
  #map = new SvelteMap<number, Draft>();
  #looked = new Set<number>();
  #writing = new Set<number>();

  start(): void {
    session.client.on('preference', ({ key }) => {
      const chatId = Number(/^draft:(\d+)$/.exec(key)?.[1]);
      if (!Number.isSafeInteger(chatId) || this.#writing.has(chatId)) return;
      this.#read(chatId);
    });
    session.client.on('reset', () => {
      this.#map.clear();
      this.#looked.clear();
    });
  }

  get(chatId: number): Draft | undefined {
    if (!this.#looked.has(chatId)) queueMicrotask(() => this.#look(chatId));
    return this.#map.get(chatId);
  }

  /** The same, without waiting for a turn: for the composer, which begins with it. */
  begin(chatId: number): Draft | undefined {
    this.#look(chatId);
    return this.#map.get(chatId);
  }

  set(chatId: number, draft: Draft | undefined): void {
    this.#looked.add(chatId);
    const empty = draft === undefined || (draft.text.trim() === '' && draft.replyTo === undefined);
    if (empty && !this.#map.has(chatId)) return;
    if (empty) this.#map.delete(chatId);
    else this.#map.set(chatId, draft);
    this.#writing.add(chatId);
    void session.client
      .setPreference(`draft:${chatId}`, empty ? undefined : { ...draft })
      .catch(() => {})
      .finally(() => this.#writing.delete(chatId));
  }

  #look(chatId: number): void {
    if (this.#looked.has(chatId)) return;
    this.#looked.add(chatId);
    this.#read(chatId);
  }

  #read(chatId: number): void {
    const kept = session.client.preference(`draft:${chatId}`);
    if (typeof kept === 'object' && kept !== null && 'text' in kept && typeof kept.text === 'string') {
      const draft: Draft = { text: kept.text };
      if ('replyTo' in kept && typeof kept.replyTo === 'number') draft.replyTo = kept.replyTo;
      this.#map.set(chatId, draft);
    } else this.#map.delete(chatId);
  }
}

export const drafts = new Drafts();
