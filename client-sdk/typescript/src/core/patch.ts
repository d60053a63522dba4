// What changed in a session, as the store and the other tabs take it over.

import type { ChatId, ChatInfo, Epoch, Forwarded, ForwardedItem, LinkPreview, Member, Message, MyChat, NewBody, OwnVote, Quote, Seq, Timestamp, User, UserId, Version, WireError } from "../protocol.js";
import type { AlbumPart, OutboxFile } from "./attached.js";
import type { KeptItem } from "./items.js";

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
  /** Which words of that message it is about. */
  quote?: Quote;
  /** The message with which the thread begins in which it stands. */
  thread?: Seq;
  /** Without a sound at the others'. */
  silent?: boolean;
  /** What the server has found behind a link in it: it goes out by its link alone. */
  preview?: LinkPreview;
  /** When the person sent it, in milliseconds since 1970, for the view. */
  at: number;
  /** Its place among all: the outbox keeps this order. */
  order: number;
  /** Files that go up before it goes out, its own and those of `rest`. */
  files?: OutboxFile[];
  /** The other messages of an album: all are stored in one change, or none. */
  rest?: AlbumPart[];
  /** Where it is forwarded from; `body` then only stands for it until it is stored. */
  forward?: OutgoingForward;
  /** Why the server will never take it, if so. */
  failed?: WireError;
}

/** What a forwarded message is made of. */
export interface OutgoingForward {
  /** The chat in which the original stands. */
  from: ChatId;
  /** Its place there. */
  seq: Seq;
  /** The others of its album: all are stored in one change, or none. */
  also?: ForwardedItem[];
  /** What it will say of where it comes from; empty: nothing. */
  origin: Forwarded;
}

/** How a message in the outbox stands. */
export type SendState =
  /** Its files go up: `sent` of `size` bytes are at the server. `hindered` says why nothing moves at the moment. */
  | { state: "uploading"; sent: number; size: number; hindered?: string }
  /**
   * It will be sent, or was sent and not answered yet. `written`: the server may have it, so it cannot be cancelled.
   * `preparing`: its files are there, and the server looks at them.
   */
  | { state: "waiting"; written: boolean; preparing?: true }
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
  /** The own votes, those in the last polls. */
  votes?: OwnVote[];
  /** In a group: messages that call one, by seq. Those that were read may be among them. */
  mentions?: readonly Seq[];
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

/** What is forgotten of a session, the epochs with it. */
export interface Reset {
  /** The own things. */
  own: boolean;
  /** All chats. */
  chats: boolean;
}

/** What changed in a session. */
export interface Patch {
  /** Forget this first. */
  reset?: Reset;
  me?: User;
  epochs?: Epoch[];
  own?: { version: Version; missedCalls: number; chats: MyChat[]; gone: ChatId[]; items: [place: string, item: KeptItem | undefined][] };
  chats?: ChatPatch[];
  gone?: ChatId[];
  outbox?: OutboxPatch;
}

/** What changed in the outbox. */
export interface OutboxPatch {
  /** Those that came or stand otherwise than before, in the order in which they were given. */
  put: Outgoing[];
  /** Client ids of those that are not in it any more. */
  gone: string[];
}

/** The outbox after a change. What did not change stays the same object. */
export function applyOutbox(outbox: readonly Outgoing[], { put, gone }: OutboxPatch): Outgoing[] {
  const out = new Set(gone);
  const now = new Map(put.map((it) => [it.item.client_id, it]));
  const kept: Outgoing[] = [];
  for (const it of outbox) {
    const id = it.item.client_id;
    const next = now.get(id);
    now.delete(id);
    if (next) kept.push(next);
    else if (!out.has(id)) kept.push(it);
  }
  return [...kept, ...now.values()];
}
