// Whether what the server says has the shape that the core relies on. What fails is left out, never half applied.
// Fields that the core only hands on (bodies, titles) are not looked into: unknown things must survive (R17).

import type { CallSignaled, CallState, ChatDelta, ChatSnapshot, ChatSync, ChatVote, Differences, OwnReaction, Page, Read, Sent, Sync, User, UserDelta, Welcome, WireError } from "../protocol.js";

type Fields = Record<string, unknown>;

export const isObject = (it: unknown): it is Fields => typeof it === "object" && it !== null && !Array.isArray(it);
export const isCount = (it: unknown): it is number => Number.isSafeInteger(it) && (it as number) >= 0;
const isId = (it: unknown): it is number => Number.isSafeInteger(it);
const listOf = (it: unknown, each: (item: unknown) => boolean): boolean => Array.isArray(it) && it.every(each);
const maybe = (it: unknown, each: (item: unknown) => boolean): boolean => it === undefined || listOf(it, each);

const isMessage = (it: unknown): boolean =>
  isObject(it) && isCount(it.seq) && isCount(it.version) && isId(it.sender) && typeof it.client_id === "string" &&
  typeof it.sent_at === "string" && isObject(it.body) && typeof it.body.kind === "string";
const isMember = (it: unknown): boolean =>
  isObject(it) && isId(it.user_id) && (it.read_seq === undefined || isCount(it.read_seq));
const isReacted = (it: unknown): boolean =>
  isObject(it) && isCount(it.seq) && isId(it.user_id) && (it.emoji === undefined || typeof it.emoji === "string");
const isVote = (it: unknown): boolean => isObject(it) && isCount(it.seq) && isCount(it.turn) && listOf(it.options, isCount);
const isChatInfo = (it: unknown): boolean => isObject(it) && isId(it.id) && typeof it.kind === "string";
const isMyChat = (it: unknown): boolean =>
  isObject(it) && isId(it.chat_id) && isCount(it.read_seq) && isCount(it.version);
const isPair = (it: unknown): boolean => listOf(it, isId) && (it as unknown[]).length === 2;

const ROWS = new Map([["info", isChatInfo], ["member", isMember], ["message", isMessage], ["reaction", isReacted], ["vote", isVote]]);
const isRow = (it: unknown): boolean =>
  isObject(it) && typeof it.row === "string" && (ROWS.get(it.row)?.(it) ?? true);

export const isDelta = (it: unknown): it is ChatDelta =>
  isObject(it) && isId(it.chat_id) && isCount(it.from) && isCount(it.version) && maybe(it.rows, isRow);

export const isSnapshot = (it: unknown): it is ChatSnapshot =>
  isObject(it) && isChatInfo(it.chat) && isCount(it.version) && isCount(it.last_seq) && listOf(it.rows, isRow);

const isChatSync = (it: unknown): it is ChatSync =>
  isObject(it) && ((it.kind === "delta" && isDelta(it.delta)) || (it.kind === "snapshot" && isSnapshot(it.snapshot)));

export const isDifferences = (it: unknown): it is Differences =>
  isObject(it) && listOf(it.chats, isChatSync) && maybe(it.behind, isId) && maybe(it.gone, isId);

/** Of kinds that are not known, only the version counts. */
const isItem = (it: unknown): boolean =>
  isObject(it) && typeof it.kind === "string" && isCount(it.version) && (it.kind !== "chat" || isMyChat(it)) &&
  (it.kind !== "missed_calls" || isCount(it.count));

export const isUserDelta = (it: unknown): it is UserDelta =>
  isObject(it) && isCount(it.from) && isCount(it.version) && maybe(it.items, isItem);

const isName = (it: unknown): boolean => typeof it === "string";
const isEpoch = (it: unknown): boolean => listOf(it, isName) && (it as unknown[]).length === 2;

const isSync = (it: unknown): it is Sync =>
  isObject(it) && listOf(it.epochs, isEpoch) && maybe(it.reset, isName) && isUserDelta(it.user) && listOf(it.chats, isChatSync) &&
  maybe(it.behind, isId) && maybe(it.others_read, isPair);

/** Whether to forget what a database holds (R8). One whose name is not known may hold anything. */
export const resets = (sync: Sync, database: "people" | "chats"): boolean =>
  (sync.reset ?? []).some((it) => it === database || !["people", "chats"].includes(it));

export const isWelcome = (it: unknown): it is Welcome =>
  isObject(it) && isObject(it.user) && isId(it.user.id) && isCount(it.heartbeat_seconds) && isSync(it.sync);

export const isSent = (it: unknown): it is Sent =>
  isObject(it) && isCount(it.seq) && isCount(it.version) && typeof it.sent_at === "string";

export const isPage = (it: unknown): it is Page =>
  isObject(it) && listOf(it.messages, isMessage) && maybe(it.reacted, isReacted) && maybe(it.voted, isVote) && isCount(it.version) && isCount(it.last_seq);

export const isRead = (it: unknown): it is Read => isObject(it) && isId(it.chat_id) && isId(it.user_id) && isCount(it.seq);

export const isUser = (it: unknown): it is User =>
  isObject(it) && isId(it.id) && typeof it.name === "string" && typeof it.handle === "string";

export const isOwnVote = (it: unknown): it is ChatVote => isObject(it) && isId(it.chat_id) && isVote(it.vote);
export const isOwnReaction = (it: unknown): it is OwnReaction => isObject(it) && isId(it.chat_id) && isReacted(it.reacted);

export const isCallState = (it: unknown): it is CallState =>
  isObject(it) && typeof it.call_id === "string" && isCount(it.revision) && isId(it.chat_id) && isId(it.caller) &&
  isId(it.callee) && typeof it.standing === "string";

export const isCallSignaled = (it: unknown): it is CallSignaled =>
  isObject(it) && typeof it.call_id === "string" && typeof it.kind === "string" && isCount(it.generation);

const ACTIONS = ["retry", "re_authenticate", "resume", "give_up"];

/** An error as it came; an action that is not known counts as "give up". */
export function wireError(it: unknown): WireError {
  const error = isObject(it) ? it : {};
  const action = ACTIONS.includes(error.action as string) ? error.action : "give_up";
  const read = {
    code: typeof error.code === "string" ? error.code : "unknown",
    message: typeof error.message === "string" ? error.message : "",
    action,
  } as WireError;
  return isCount(error.retry_after_ms) ? { ...read, retry_after_ms: error.retry_after_ms } : read;
}
