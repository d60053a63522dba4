import type { ChatId, MyChat, UserDelta, Version } from "../protocol.js";

/** What belongs to the user: which chats, in which role, read how far. It follows the version rule as chats do (R9). */
export interface Own {
  /** The per-user version that all of this is at. */
  version: Version;
  /** The chats that the user is in. */
  chats: Map<ChatId, MyChat>;
  /** Calls missed and not looked at yet. */
  missedCalls: number;
}

/** What a user delta changed. */
export interface Moved {
  /** Chats joined or changed. */
  changed: ChatId[];
  /** Chats that the user is no longer in. */
  gone: ChatId[];
  /** The counter of missed calls is another one. */
  missedCalls: boolean;
}

/** Applies a delta that fits. */
export function applyOwn(own: Own, delta: UserDelta): Moved {
  const chats = delta.chats ?? [];
  const moved: Moved = { changed: [], gone: [], missedCalls: false };
  if (delta.from === 0 && !delta.more) {
    // From nothing it is everything: what it does not name is no longer there.
    const named = new Set(chats.map((mine) => mine.chat_id));
    moved.gone.push(...[...own.chats.keys()].filter((id) => !named.has(id)));
  }
  const missed = delta.missed_calls ?? (delta.from === 0 ? 0 : own.missedCalls);
  moved.missedCalls = missed !== own.missedCalls;
  own.missedCalls = missed;
  for (const mine of chats) {
    const known = own.chats.get(mine.chat_id);
    if (known && known.version >= mine.version) continue;
    if (mine.role === undefined) {
      moved.gone.push(mine.chat_id);
    } else {
      own.chats.set(mine.chat_id, mine);
      moved.changed.push(mine.chat_id);
    }
  }
  for (const id of moved.gone) own.chats.delete(id);
  own.version = Math.max(own.version, delta.version);
  return moved;
}
