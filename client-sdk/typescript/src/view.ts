// The local state as an application reads it.

import type { Connection } from "./core/event.js";
import type { Outgoing } from "./core/patch.js";
import type { Chat } from "./core/chat.js";
import type { State } from "./core/sync.js";
import type { ChatId, ChatInfo, Member, Message, Role, Seq, User, UserId, Version } from "./protocol.js";

/** A line in the list of chats. */
export interface ChatView {
  readonly id: ChatId;
  /** Kind, title, handle. A direct chat has no title: show the name of `peer`. */
  readonly info: ChatInfo;
  /** In a direct chat the other person; oneself in the chat with oneself. */
  readonly peer: UserId | undefined;
  /** The own role; absent in the moment between joining and being told. */
  readonly role: Role | undefined;
  /** Messages after the own read mark. */
  readonly unread: number;
  /** The own read mark. */
  readonly readSeq: Seq;
  /** The furthest read mark of anybody else: the double tick for messages up to it. */
  readonly othersRead: Seq;
  /** The seq of the last message. */
  readonly lastSeq: Seq;
  /** The last message, if held. */
  readonly lastMessage: Message | undefined;
  /** The version that all this is at. */
  readonly version: Version;
}

/** A message with what only the user knows of it. */
export interface MessageView {
  readonly message: Message;
  /** The own reaction to it. */
  readonly myReaction: string | undefined;
}

/** Everything that is shown; kept by the tab that leads, and by the others as they are told. */
export interface View {
  state: State;
  outbox: Outgoing[];
  connection: Connection;
  inStep: boolean;
  users: Map<UserId, User>;
  preferences: Map<string, unknown>;
  persistent: boolean;
  token: string | undefined;
}

/** One chat. */
export function chatView(state: State, chat: Chat): ChatView {
  const id = chat.info.id;
  const mine = state.own.chats.get(id);
  const readSeq = mine?.read_seq ?? 0;
  const others = [...chat.members.keys()].filter((user) => user !== state.me?.id);
  return {
    id,
    info: chat.info,
    peer: chat.info.kind === "direct" ? (others[0] ?? state.me?.id) : undefined,
    role: mine?.role,
    unread: Math.max(chat.last_seq - readSeq, 0),
    readSeq,
    othersRead: chat.others_read,
    lastSeq: chat.last_seq,
    lastMessage: chat.last(),
    version: chat.version,
  };
}

/** All chats, those with the newest message first; chats without any by when they were made. */
export function chatViews(state: State): ChatView[] {
  // A chat without a role is one that `me` has not told of yet.
  const views = [...state.chats.values()].map((chat) => chatView(state, chat)).filter((it) => it.role !== undefined);
  const moment = (it: ChatView): string => it.lastMessage?.sent_at ?? it.info.created_at;
  return views.sort((a, b) => (moment(a) < moment(b) ? 1 : moment(a) > moment(b) ? -1 : b.id - a.id));
}

export function memberViews(chat: Chat): Member[] {
  const members = [...chat.members.values()].sort((a, b) => a.user_id - b.user_id);
  return members.map((it) => {
    const read = chat.reads.get(it.user_id);
    return read === undefined ? it : { ...it, read_seq: read };
  });
}

export function messageViews(chat: Chat): MessageView[] {
  return chat.rows().map((message) => ({ message, myReaction: chat.reacted.get(message.seq) }));
}
