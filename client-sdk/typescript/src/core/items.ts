// What the user has set, by kind and key: mutes, pins, drafts, folders, the archive, contacts, blocks, settings, stickers.

import type { Kept, OwnItem } from "../protocol.js";

/** Which field of an item tells it from others of its kind. Kinds that are not here are passed over. */
const KEYS = { mute: "chat_id", pin: "chat_id", draft: "chat_id", folder: "id", archive: "chat_id", scheduled: "chat_id", contact: "user_id", block: "user_id", setting: "name", sticker_pack: "pack_id", favorite_sticker: "file_id", recent_sticker: "file_id", join_request: "chat_id", removed: "chat_id", hidden: "chat_id" } as const;

/** A kind of thing that the user can set. */
export type ItemKind = keyof typeof KEYS;
/** An item of a kind; without `value` it is taken back. */
export type ItemOf<K extends ItemKind = ItemKind> = Extract<OwnItem, { kind: K }>;
/** What is kept under a kind and a key. */
export type ItemValue<K extends ItemKind> = NonNullable<ItemOf<K>["value"]>;
/** What tells items of a kind apart: the id of a chat, a user, a folder, a pack or a sticker, or the name of a setting. */
export type ItemKey<K extends ItemKind> = K extends "folder" | "setting" | "sticker_pack" | "favorite_sticker" | "recent_sticker" ? string : number;
/** An item with its version. */
export type KeptItem = ItemOf & { version: number };

const isKind = (kind: unknown): kind is ItemKind => typeof kind === "string" && Object.hasOwn(KEYS, kind);

/** The key under which an item of a kind is kept. */
export const placeOf = (kind: ItemKind, key: string | number): string => `${kind} ${key}`;

/** Where an item is kept; undefined for one of a kind that is not known. */
export function placeOfItem(item: OwnItem | Kept): string | undefined {
  if (!isKind(item.kind)) return undefined;
  const key = (item as Record<string, unknown>)[KEYS[item.kind]];
  return typeof key === "string" || typeof key === "number" ? placeOf(item.kind, key) : undefined;
}

/** An item made of its parts. */
export function itemOf<K extends ItemKind>(kind: K, key: ItemKey<K>, value?: ItemValue<K>): ItemOf<K> {
  return { kind, [KEYS[kind]]: key, ...(value !== undefined && { value }) } as unknown as ItemOf<K>;
}

/** The same without version, as it is told. */
export function withoutVersion({ version: _, ...item }: KeptItem): ItemOf {
  return item as ItemOf;
}
