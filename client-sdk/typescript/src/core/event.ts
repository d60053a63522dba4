// What the core tells whoever shows it to a person.

import type { Action, CallSignaled, CallState, ChatId, Member, Message, OwnVote, Presence, Reacted, Seq, User, UserId } from "../protocol.js";
import type { ItemOf } from "./items.js";
import type { SendState } from "./patch.js";

/** Why a session ended. */
export type Stop =
  /** The client was closed as asked. */
  | { reason: "closed" }
  /** There is no token, or it is not good any more: sign in. The outbox is kept. */
  | { reason: "signed_out"; message: string }
  /** The server will never take what we do. */
  | { reason: "refused"; message: string }
  /** The store belongs to another user than the token. Nothing was sent. */
  | { reason: "other_user" };

/** What to do about a session that ended. */
export const actionOf = (stop: Stop): Action => (stop.reason === "signed_out" ? "re_authenticate" : "give_up");

/** How the connection stands. */
export type Connection =
  | { state: "connecting" }
  /** Connected, and everything missed was asked for. */
  | { state: "online" }
  /** Not connected; the next attempt comes after `retryInMs`. `message` is for people who read logs. */
  | { state: "offline"; retryInMs: number; message: string }
  /** It ended and will not be tried again by itself. */
  | { state: "stopped"; stop: Stop };

/** Something that changed. The local state holds it already when the event is told. */
export type ClientEvent =
  /** The connection came, went or ended. */
  | { type: "connection"; connection: Connection }
  /** Whether everything known of is held: false while a gap is filled, say «updating». */
  | { type: "in_step"; inStep: boolean }
  /** A message that was not known. */
  | { type: "message"; chatId: ChatId; message: Message }
  /** A message was edited, deleted, or its reactions were counted anew; also one older than the messages held. */
  | { type: "changed"; chatId: ChatId; message: Message }
  /** Somebody's reaction changed. */
  | { type: "reacted"; chatId: ChatId; reacted: Reacted }
  /** One's own vote in a poll is another one, by whatever device. */
  | { type: "voted"; chatId: ChatId; vote: OwnVote }
  /** Somebody came, went or has another role. */
  | { type: "member"; chatId: ChatId; member: Member }
  /** The chat's title, the own role or the own read mark changed, or the chat is new: read it again. */
  | { type: "chat"; chatId: ChatId }
  /** A snapshot replaced what was known of a chat: read it again. */
  | { type: "replaced"; chatId: ChatId }
  /** The user is no longer in the chat; it was forgotten. */
  | { type: "gone"; chatId: ChatId }
  /** The list of chats, the chats or both were forgotten, never the outbox: a database of the server has another history, or somebody signed out. */
  | { type: "reset" }
  /** Somebody else, or oneself, read up to a message. */
  | { type: "read"; chatId: ChatId; userId: UserId; seq: Seq }
  /** Somebody is writing; holds for 6 seconds. */
  | { type: "typing"; chatId: ChatId; userId: UserId }
  /** Somebody watched came online or went. */
  | { type: "presence"; userId: UserId; presence: Presence }
  /** A message in the outbox has another state; without `state` it is gone: in the chat, or cancelled. */
  | { type: "outbox"; chatId: ChatId; clientId: string; state?: SendState }
  /** Users were resolved or have another name. With none of them: any may have, so ask again (`user`) for those that are shown. */
  | { type: "users"; users: User[] }
  /** A preference of the application was set or removed, perhaps in another tab. */
  | { type: "preference"; key: string }
  /** Whether the local state outlives the page. False in private windows, when the disk is full, or in memory. */
  | { type: "persistent"; persistent: boolean }
  /** So many calls were missed and not looked at yet. */
  | { type: "missed_calls"; count: number }
  /** The user has set something, or taken it back (then without a value), on whatever device. */
  | { type: "item"; item: ItemOf }
  /** How a call stands, as the server says: for `@chapar/client/call`. */
  | { type: "call"; state: CallState }
  /** What the other side of a call sent: for `@chapar/client/call`. */
  | { type: "call_signal"; signal: CallSignaled }
  /** An event of the server that this version does not know. */
  | { type: "server"; event: string; data: unknown };
