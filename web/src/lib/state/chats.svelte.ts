import { newestFirst, type ChatView } from '@chapar/client';
import { placed } from './placed';

const nameOf = (view: ChatView | undefined): string => (view ? JSON.stringify([view.info.title, view.info.handle, view.peer, view.request]) : '');
const counted = (view: ChatView | undefined): string => (!view || view.request ? '' : `${view.unread} ${view.mentions.length}`);

/** A signal of its own; nothing in it when the chat is gone. What tears a screen down still sees what was there before: a map of signals has forgotten it by then. */
class Shown {
  view = $state.raw<ChatView | undefined>();
}

/**
 * The chats on the screens, each a signal of its own: an event touches the chat that it names, the order where that changes,
 * and nothing that other chats show.
 */
export class Chats {
  readonly #shown = new Map<number, Shown>();
  /** How many there ever were: for whoever looks for one that is not here yet. */
  #known = $state(0);
  /** The chats, the one with the newest message first. */
  order = $state.raw<readonly number[]>([]);
  /** Those that strangers have begun: apart from the others until they are accepted. */
  requests = $state.raw<readonly number[]>([]);
  /** Another number whenever something is read in a chat, or comes to it. */
  unreadMoved = $state(0);
  /** Another number whenever a chat has come or gone, or is called otherwise. */
  named = $state(0);

  get(chatId: number): ChatView | undefined {
    const shown = this.#shown.get(chatId);
    return shown ? shown.view : void this.#known;
  }

  /** Of those that are still there. */
  all(ids: readonly number[]): ChatView[] {
    return ids.map((id) => this.get(id)).filter((view) => view !== undefined);
  }

  /** How a chat is now; nothing when it is gone. */
  put(chatId: number, view: ChatView | undefined): void {
    const before = this.get(chatId);
    if (before === view) return;
    this.#set(chatId, before, view);
    const order = (wanted: boolean, now: readonly number[]): readonly number[] =>
      placed(now, chatId, view && view.request === wanted ? (other) => newestFirst(view, this.get(other) as ChatView) < 0 : undefined);
    this.order = order(false, this.order);
    this.requests = order(true, this.requests);
  }

  /** All chats, in their order. */
  replace(views: readonly ChatView[]): void {
    const here = new Set(views.map(({ id }) => id));
    for (const id of this.#shown.keys()) if (!here.has(id)) this.#set(id, this.get(id), undefined);
    for (const view of views) this.#set(view.id, this.get(view.id), view);
    const ids = (requests: boolean): number[] => views.filter(({ request }) => request === requests).map(({ id }) => id);
    const kept = (before: readonly number[], now: number[]): readonly number[] => (before.length === now.length && now.every((id, at) => id === before[at]) ? before : now);
    this.order = kept(this.order, ids(false));
    this.requests = kept(this.requests, ids(true));
  }

  #set(chatId: number, before: ChatView | undefined, view: ChatView | undefined): void {
    if (before === view) return;
    let shown = this.#shown.get(chatId);
    if (!shown) {
      this.#shown.set(chatId, (shown = new Shown()));
      this.#known += 1;
    }
    shown.view = view;
    if (counted(before) !== counted(view)) this.unreadMoved += 1;
    if (nameOf(before) !== nameOf(view)) this.named += 1;
  }
}
