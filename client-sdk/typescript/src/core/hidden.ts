import type { ChatId, Hidden, Seq } from "../protocol.js";
import { placeOf } from "./items.js";
import type { Own } from "./own.js";

/** The messages of a chat that the user has deleted for themselves, as the item says it. */
export function hiddenIn(own: Own, chatId: ChatId): Hidden | undefined {
  const item = own.items.get(placeOf("hidden", chatId));
  return item?.kind === "hidden" ? item.value : undefined;
}

/** Whether a message is among them. */
export function hides(hidden: Hidden | undefined, seq: Seq): boolean {
  return hidden?.seqs.some(([first, last]) => first <= seq && seq <= last) ?? false;
}
