// What changed in a session, as the store and the other tabs take it over.

import type { ChatId, ChatInfo, Member, Message, MyChat, Seq, User, UserId, Version, WireError, Timestamp, NewBody } from "../protocol.js";

/** A message as the outbox and the store keep it. */
export interface OutboxItem {
  /** Made once, the same for every try: a UUID. */
  client_id: string;
  /** Where it goes. */
  chat_id: ChatId;
  /** What it says. */
  body: NewBody;
  /** What it answers. */
  reply_to?: Seq;
  /** When the person sent it, in milliseconds since 1970, for the view. */
  at: number;
  /** Its place among all: the outbox keeps this order. */
  order: number;
  /** Why the server will never take it, if so. */
  failed?: WireError;
}

/** How a message in the outbox stands. */
export type SendState =
  /** It will be sent, or was sent and not answered yet. `written`: the server may have it, so it cannot be cancelled. */
  | { state: "waiting"; written: boolean }
  /** The server has stored it; the chat's delta with it is on its way. */
  | { state: "sent"; seq: Seq; version: Version; sent_at: Timestamp }
  /** The server will never take it. It stays until it is discarded or tried again. */
  | { state: "failed"; error: WireError };

/** A message on its way. */
export interface Outgoing {
  /** The message. */
  readonly item: OutboxItem;
  /** How it stands. */
  readonly state: SendState;
}

/** What a chat is, without its rows. */
export interface ChatHead {
  /** The chat itself. */
  info: ChatInfo;
  /** The version that all of the chat is at. */
  version: Version;
  /** The seq of the last message known of. */
  last_seq: Seq;
  /** Where the window begins: rows of older messages are not held in memory. */
  first: Seq;
  /** The furthest read mark of anybody else. Only grows. */
  others_read: Seq;
}

/** What changed in one chat. */
export interface ChatPatch {
  head: ChatHead;
  /** Everything known before is void, cached older messages included. */
  replace?: true;
  members?: [UserId, Member | null][];
  reads?: [UserId, Seq][];
  /** Rows of the window. */
  messages?: Message[];
  /** Own reactions in the window. */
  reacted?: [Seq, string | null][];
  /** Changed rows older than the window: whoever cached one must replace it. */
  older?: Message[];
  olderReacted?: [Seq, string | null][];
}

/** What changed in a session. */
export interface Patch {
  /** Forget epoch, own things and all chats first. */
  reset?: true;
  me?: User;
  epoch?: string;
  own?: { version: Version; missedCalls: number; chats: MyChat[]; gone: ChatId[] };
  chats?: ChatPatch[];
  gone?: ChatId[];
  /** The whole outbox. */
  outbox?: Outgoing[];
}
