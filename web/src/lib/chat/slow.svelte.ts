import { type ChatView, type MessageView } from '@chapar/client';
import { last } from '../state/last';
import { session } from '../state/session.svelte';

/** Milliseconds that this person waits before the next post, by the last one that is held; 0: none. */
export function waitOf(chat: ChatView, rows: readonly MessageView[], now: number): number {
  const pause = (chat.info.slow_seconds ?? 0) * 1_000;
  if (pause === 0 || chat.role !== 'member') return 0;
  const mine = last(rows, ({ message }) => message.sender === session.me?.id && message.body.kind !== 'service');
  if (!mine) return 0;
  // The server's clock is not this device's: never longer than the whole of it.
  return Math.min(Math.max(Date.parse(mine.message.sent_at) + pause - now, 0), pause);
}

/** The wait as it goes by, in whole seconds. Made within a component. */
export class Slowness {
  readonly #chat: () => ChatView;
  readonly #rows: () => readonly MessageView[];
  #now = $state(Date.now());
  readonly #seconds = $derived.by(() => Math.ceil(waitOf(this.#chat(), this.#rows(), this.#now) / 1_000));

  constructor(chat: () => ChatView, rows: () => readonly MessageView[]) {
    this.#chat = chat;
    this.#rows = rows;
    // A new post begins it anew; while there is nothing to wait for no clock runs.
    $effect(() => {
      void rows();
      this.#now = Date.now();
    });
    $effect(() => {
      if (this.#seconds === 0) return;
      const timer = setInterval(() => (this.#now = Date.now()), 250);
      return () => clearInterval(timer);
    });
  }

  get seconds(): number {
    return this.#seconds;
  }
}
