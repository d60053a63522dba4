import { newestFirst, type ChatView } from '@chapar/client';
import { SvelteMap } from 'svelte/reactivity';
import { placed } from './placed';

const nameOf = (view: ChatView | undefined): string => (view ? JSON.stringify([view.info.title, view.info.handle, view.peer, view.request]) : '');
const counted = (view: ChatView | undefined): number => (!view || view.request ? 0 : view.unread);

/**
 * The chats on the screens, each a signal of its own: an event touches the chat that it names, the order where that changes,
 * and nothing that other chats show.
 */
export class Chats {
  #views = new SvelteMap<number, ChatView>();
  /** The chats, the one with the newest message first. */
  order = $state.raw<readonly number[]>([]);
  /** Those that strangers have begun: apart from the others until they are accepted. */
  requests = $state.raw<readonly number[]>([]);
  /** Messages that nobody has looked at, in all chats. */
  unread = $state(0);
  /** Another number whenever a chat has come or gone, or is called otherwise. */
  named = $state(0);

  get(chatId: number): ChatView | undefined {
    return this.#views.get(chatId);
  }

  /** Of those that are still there. */
  all(ids: readonly number[]): ChatView[] {
    return ids.map((id) => this.#views.get(id)).filter((view) => view !== undefined);
  }

  /** How a chat is now; nothing when it is gone. */
  put(chatId: number, view: ChatView | undefined): void {
    const before = this.#views.get(chatId);
    if (before === view) return;
    this.#set(chatId, before, view);
    const order = (wanted: boolean, now: readonly number[]): readonly number[] =>
      placed(now, chatId, view && view.request === wanted ? (other) => newestFirst(view, this.#views.get(other) as ChatView) < 0 : undefined);
    this.order = order(false, this.order);
    this.requests = order(true, this.requests);
  }

  /** All chats, in their order. */
  replace(views: readonly ChatView[]): void {
    const here = new Set(views.map(({ id }) => id));
    for (const id of [...this.#views.keys()]) if (!here.has(id)) this.#set(id, this.#views.get(id), undefined);
    for (const view of views) this.#set(view.id, this.#views.get(view.id), view);
    const ids = (requests: boolean): number[] => views.filter(({ request }) => request === requests).map(({ id }) => id);
    const kept = (before: readonly number[], now: number[]): readonly number[] => (before.length === now.length && now.every((id, at) => id === before[at]) ? before : now);
    this.order = kept(this.order, ids(false));
    this.requests = kept(this.requests, ids(true));
  }

  #set(chatId: number, before: ChatView | undefined, view: ChatView | undefined): void {
    if (before === view) return;
    if (view) this.#views.set(chatId, view);
    else this.#views.delete(chatId);
    this.unread += counted(view) - counted(before);
    if (nameOf(before) !== nameOf(view)) this.named += 1;
  }
}
