// The local state as an application reads it.

import { Chat } from "./core/chat.js";
import type { ClientEvent, Connection } from "./core/event.js";
import { hiddenIn, hides } from "./core/hidden.js";
import { placeOfItem } from "./core/items.js";
import { emptyOwn } from "./core/own.js";
import { applyOutbox, type Outgoing } from "./core/patch.js";
import { emptyState, type State } from "./core/sync.js";
import type { Change } from "./host.js";
import type { Saved } from "./store/store.js";
import type { CallId, CallState, ChatId, ChatInfo, Hidden, Member, Message, MyChat, Role, Seq, User, UserId, Version } from "./protocol.js";

/** A line in the list of chats. */
export interface ChatView {
  readonly id: ChatId;
  /** Kind, title, handle. A direct chat has no title: show the name of `peer`. */
  readonly info: ChatInfo;
  /** In a direct chat the other person; oneself in the chat with oneself. */
  readonly peer: UserId | undefined;
  /** The own role; absent in the moment between joining and being told. */
  readonly role: Role | undefined;
  /** The own row among the members, if it was told: with one's rights, or what was taken from one. See `standingIn`. */
  readonly own: Member | undefined;
  /** A stranger has begun it: it is a request until `answerRequest` accepts it. */
  readonly request: boolean;
  /** Messages of others after the own read mark. Of the last hundred one's own and deleted ones are not counted. */
  readonly unread: number;
  /** In a group: the messages after the own read mark that call one, by a mention or as answers to one's own, by seq. */
  readonly mentions: readonly Seq[];
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
  /** The calls that have not ended, as last told. */
  calls: Map<CallId, CallState>;
}

/** The state that was saved, as the core begins with it. */
export function stateOf(saved: Saved): State {
  const state = emptyState();
  state.me = saved.me;
  if (saved.epochs === undefined || !saved.own) return state;
  state.epochs = saved.epochs;
  state.own = {
    version: saved.own.version,
    missedCalls: saved.own.missedCalls,
    chats: new Map(saved.own.chats.map((it) => [it.chat_id, it])),
    items: new Map(saved.own.items.map((it) => [placeOfItem(it) ?? "", it])),
  };
  for (const patch of saved.chats) state.chats.set(patch.head.info.id, Chat.fromPatch(patch));
  return state;
}

/** Takes note of what events say of the view itself. */
export function noteEvents(view: View, events: readonly ClientEvent[]): void {
  for (const event of events) {
    if (event.type === "connection") view.connection = event.connection;
    if (event.type === "persistent") view.persistent = event.persistent;
    if (event.type !== "call") continue;
    const { state } = event;
    if ((view.calls.get(state.call_id)?.revision ?? -1) >= state.revision) continue;
    if (state.standing === "ended") view.calls.delete(state.call_id);
    else view.calls.set(state.call_id, state);
  }
}

/** Takes over what another tab's host changed. */
export function applyChange(view: View, change: Change): void {
  const { patch, users, events, preference } = change;
  const { state } = view;
  if (patch.reset?.own) state.own = emptyOwn();
  if (patch.reset?.chats) state.chats.clear();
  if (patch.me) state.me = patch.me;
  if (patch.epochs !== undefined) state.epochs = patch.epochs;
  if (patch.own) {
    state.own.version = patch.own.version;
    state.own.missedCalls = patch.own.missedCalls;
    for (const chatId of patch.own.gone) state.own.chats.delete(chatId);
    for (const mine of patch.own.chats) state.own.chats.set(mine.chat_id, mine);
    for (const [place, item] of patch.own.items) {
      if (item) state.own.items.set(place, item);
      else state.own.items.delete(place);
    }
  }
  for (const chatId of patch.gone ?? []) state.chats.delete(chatId);
  for (const it of patch.chats ?? []) {
    const chat = state.chats.get(it.head.info.id);
    if (chat) chat.applyPatch(it);
    else state.chats.set(it.head.info.id, Chat.fromPatch(it));
  }
  if (patch.outbox) view.outbox = applyOutbox(view.outbox, patch.outbox);
  for (const user of users) view.users.set(user.id, user);
  if (preference) {
    const [key, value] = preference;
    if (value === undefined) view.preferences.delete(key);
    else view.preferences.set(key, value);
  }
  view.inStep = change.inStep;
  view.token = change.token;
  noteEvents(view, events);
}

/** Of so many unread messages it is looked at whose they are; of more the number matters little. */
const LOOKED_AT = 100;

/** Messages that somebody else wrote after the own read mark, and that are still there. */
export function unreadOf(chat: Chat, readSeq: Seq, me: UserId | undefined, hidden?: Hidden): number {
  let count = Math.max(chat.last_seq - readSeq, 0);
  for (let seq = chat.last_seq, left = LOOKED_AT; seq > readSeq && left > 0; seq--, left--) {
    const message = chat.messages.get(seq);
    // Nobody can read what was deleted.
    if ((message && (message.sender === me || message.body.kind === "deleted")) || hides(hidden, seq)) count -= 1;
  }
  return count;
}

/** The other person of a direct chat, oneself in the one with oneself. */
function peerOf(chat: Chat, me: UserId | undefined): UserId | undefined {
  if (chat.info.kind !== "direct") return undefined;
  for (const user of chat.members.keys()) if (user !== me) return user;
  return me;
}

/** Views of chats in which nothing changed since: most chats, at most events. */
const known = new WeakMap<Chat, { view: ChatView; mine: MyChat | undefined; hidden: Hidden | undefined; me: UserId | undefined; members: number; rows: number }>();

/** One chat. The same object as before when nothing of it changed. */
export function chatView(state: State, chat: Chat): ChatView {
  const mine = state.own.chats.get(chat.info.id);
  const me = state.me?.id;
  const members = chat.members.size;
  const hidden = hiddenIn(state.own, chat.info.id);
  const last = lastOf(chat, hidden);
  const own = me === undefined ? undefined : chat.members.get(me);
  const before = known.get(chat);
  if (
    before && before.mine === mine && before.hidden === hidden && before.view.own === own && before.me === me && before.members === members && before.rows === chat.messages.size && before.view.info === chat.info &&
    before.view.version === chat.version && before.view.lastSeq === chat.last_seq && before.view.lastMessage === last &&
    before.view.othersRead === chat.others_read && before.view.readSeq === (mine?.read_seq ?? 0)
  ) {
    return before.view;
  }
  const view = makeView(state, chat, mine, own, hidden);
  known.set(chat, { view, mine, hidden, me, members, rows: chat.messages.size });
  return view;
}

/** The last message held that the user has not deleted for themselves. */
function lastOf(chat: Chat, hidden: Hidden | undefined): Message | undefined {
  const last = chat.last();
  if (!hidden || !last || !hides(hidden, last.seq)) return last;
  return chat.rows().filter(({ seq }) => !hides(hidden, seq)).at(-1);
}

function makeView(state: State, chat: Chat, mine: MyChat | undefined, own: Member | undefined, hidden: Hidden | undefined): ChatView {
  const id = chat.info.id;
  const readSeq = mine?.read_seq ?? 0;
  return {
    id,
    info: chat.info,
    peer: peerOf(chat, state.me?.id),
    role: mine?.role,
    own,
    request: mine?.request === true,
    unread: unreadOf(chat, readSeq, state.me?.id, hidden),
    mentions: chat.mentions.filter((seq) => seq > readSeq && !hides(hidden, seq)),
    readSeq,
    othersRead: chat.others_read,
    lastSeq: chat.last_seq,
    lastMessage: lastOf(chat, hidden),
    version: chat.version,
  };
}

const moment = (it: ChatView): string => it.lastMessage?.sent_at ?? it.info.created_at;

/** The order of a list of chats: those with the newest message first; chats without any by when they were made. */
export function newestFirst(a: ChatView, b: ChatView): number {
  const [of, than] = [moment(a), moment(b)];
  return of < than ? 1 : of > than ? -1 : b.id - a.id;
}

/** All chats, in this order. */
export function chatViews(state: State): ChatView[] {
  // A chat without a role is one that `me` has not told of yet.
  const views = [...state.chats.values()].map((chat) => chatView(state, chat)).filter((it) => it.role !== undefined);
  return views.sort(newestFirst);
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
