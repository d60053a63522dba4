// Which chats are in a folder: `protocol/vectors/folders` says it as tests.

import type { ChatId, Folder, FolderKind } from "./protocol.js";

/** What a folder asks of a chat. */
export interface FolderChat {
  readonly id: ChatId;
  /** Undefined for the chat with oneself, which is in a folder only where that names it. */
  readonly kind: FolderKind | undefined;
  /** Something in it is unread. */
  readonly unread: boolean;
  /** It is muted now. */
  readonly muted: boolean;
  /** It is in the archive. */
  readonly archived: boolean;
}

/** Whether a chat is in a folder. What it names counts more than any rule, and what is archived is in it only where it is named. */
export function inFolder(folder: Folder, chat: FolderChat): boolean {
  if (folder.without?.includes(chat.id)) return false;
  if (folder.chats.includes(chat.id)) return true;
  if (chat.kind === undefined || !folder.kinds?.includes(chat.kind)) return false;
  return !chat.archived && (chat.unread || !folder.unread) && !(chat.muted && folder.unmuted);
}

/** Whether a mute still holds; `now` in milliseconds since 1970. */
export const isMuted = (mute: { until?: string } | undefined, now: number): boolean =>
  mute !== undefined && (mute.until === undefined || Date.parse(mute.until) > now);
