import { untrack } from 'svelte';
import { alike } from '../people/alike';
import { session } from './session.svelte';

/** Chats whose names look alike, or like one's own: beside those the handle is shown, which nobody shares. */
class Alike {
  readonly #chats = $derived.by((): Set<number> => {
    const { me } = session;
    // Told of each chat that comes, goes or is called otherwise, and not of each message.
    void session.named;
    const named = untrack(() => [...session.chats, ...session.requests])
      .filter((chat) => !session.isNotes(chat) && (chat.peer === undefined || session.user(chat.peer) !== undefined))
      .map((chat) => [chat.id, session.title(chat)] as const);
    // No chat has this number.
    return alike(me === undefined ? named : [[0, me.name], ...named]);
  });

  /** The handle that tells a chat from others of its name; nothing where none is needed, or there is none. */
  handleOf(chat: { id: number; peer?: number | undefined; info: { handle?: string | undefined } }): string | undefined {
    if (!this.#chats.has(chat.id)) return undefined;
    return chat.peer === undefined ? chat.info.handle : session.user(chat.peer)?.handle;
  }
}

/** Those among whom one may be mistaken for another. */
export const twinsAmong = (members: readonly { user_id: number }[]): Set<number> =>
  alike(members.filter(({ user_id }) => session.user(user_id)).map(({ user_id }) => [user_id, session.name(user_id)] as const));

export const lookalikes = new Alike();
