import type { ChatId, Item, MissedCalls, MyChat, UserDelta, Version } from "../protocol.js";
import { placeOfItem, withoutVersion, type ItemOf, type KeptItem } from "./items.js";

/** What belongs to the user: chats, missed calls, what the user has set. It follows the version rule as chats do (R9). */
export interface Own {
  /** The per-user version that all of this is at. */
  version: Version;
  /** The chats that the user is in. */
  chats: Map<ChatId, MyChat>;
  /** Calls missed and not looked at yet. */
  missedCalls: number;
  /** What the user has set, by kind and key. */
  items: Map<string, KeptItem>;
}

export const emptyOwn = (): Own => ({ version: 0, chats: new Map(), missedCalls: 0, items: new Map() });

/** What a user delta changed. */
export interface Moved {
  /** Chats joined or changed. */
  changed: ChatId[];
  /** Chats that the user is no longer in. */
  gone: ChatId[];
  /** The counter of missed calls is another one. */
  missedCalls: boolean;
  /** What the user has set, or taken back (then without a value), on whatever device. */
  items: ItemOf[];
  /** Where those are kept. */
  places: string[];
}

const isMyChat = (item: Item): item is { kind: "chat" } & MyChat => item.kind === "chat" && "read_seq" in item;
const isMissed = (item: Item): item is { kind: "missed_calls" } & MissedCalls => item.kind === "missed_calls" && typeof item.count === "number";

/** Applies a delta that fits. */
export function applyOwn(own: Own, delta: UserDelta): Moved {
  const items = delta.items ?? [];
  const moved: Moved = { changed: [], gone: [], missedCalls: false, items: [], places: [] };
  const missedBefore = own.missedCalls;
  if (delta.from === 0) beginAnew(own, items, delta.more === true, moved);
  for (const item of items) {
    if (isMyChat(item)) takeChat(own, item, moved);
    else if (isMissed(item)) own.missedCalls = item.count;
    else takeItem(own, item as KeptItem, moved);
  }
  for (const id of moved.gone) own.chats.delete(id);
  moved.missedCalls = own.missedCalls !== missedBefore;
  own.version = Math.max(own.version, delta.version);
  return moved;
}

function takeChat(own: Own, { kind: _, ...mine }: { kind: "chat" } & MyChat, moved: Moved): void {
  const known = own.chats.get(mine.chat_id);
  if (known && known.version >= mine.version) return;
  if (mine.role === undefined) {
    moved.gone.push(mine.chat_id);
  } else {
    own.chats.set(mine.chat_id, mine);
    moved.changed.push(mine.chat_id);
  }
}

/** Kinds that are not known here are passed over. */
function takeItem(own: Own, item: KeptItem, moved: Moved): void {
  const place = placeOfItem(item);
  if (place === undefined || (own.items.get(place)?.version ?? -1) >= item.version) return;
  if (item.value === undefined) own.items.delete(place);
  else own.items.set(place, item);
  moved.items.push(withoutVersion(item));
  moved.places.push(place);
}

/** From nothing: what is not named was taken back, or comes with the next page. Chats that were left are named. */
function beginAnew(own: Own, items: Item[], more: boolean, moved: Moved): void {
  if (!more) {
    const chats = new Set(items.filter(isMyChat).map((mine) => mine.chat_id));
    moved.gone.push(...[...own.chats.keys()].filter((id) => !chats.has(id)));
  }
  own.missedCalls = 0;
  const set = new Set(items.map((item) => placeOfItem(item as KeptItem)));
  for (const [place, item] of [...own.items]) {
    if (set.has(place)) continue;
    own.items.delete(place);
    const { value: _, ...gone } = withoutVersion(item);
    moved.items.push(gone as ItemOf);
    moved.places.push(place);
  }
}
