import type { KeptItem } from "../core/items.js";
import type { ChatPatch, OutboxItem, Patch } from "../core/patch.js";
import type { ChatId, Epoch, Message, MyChat, Seq, User, Version } from "../protocol.js";

/** What a store gives back when a client starts. */
export interface Saved {
  /** Whose it is. */
  me?: User;
  /** The secret of this device. */
  token?: string;
  epochs?: Epoch[];
  own?: { version: Version; missedCalls: number; chats: MyChat[]; items: KeptItem[] };
  /** The chats, each with some of its last messages. */
  chats: ChatPatch[];
  outbox: OutboxItem[];
  users: User[];
  preferences: [string, unknown][];
}

/** Messages of a chat that were read before. */
export interface CachedRows {
  /** By seq. */
  messages: Message[];
  /** The own reactions to them. */
  reacted: [Seq, string][];
}

/** Keeps the outbox and the local state beyond the life of the page or process. Only one client may write to it at a time. */
export interface Store {
  /** Whether what is kept outlives the page. */
  readonly persistent: boolean;
  /** Everything kept, when the client starts. */
  load(): Promise<Saved>;
  /** Keeps messages. When it returns, they survive the end of the page. Rejects when they cannot be kept. */
  putOutbox(items: OutboxItem[]): Promise<void>;
  /** Keeps a message with the bytes of its files, all together or not at all. */
  putFiles(item: OutboxItem, files: Blob[]): Promise<void>;
  /** The bytes of a file of a kept message. */
  file(clientId: string, index: number): Promise<Blob | undefined>;
  /** Forgets messages that the server has, with their files. If this is lost, they are sent once more, which does no harm. */
  removeOutbox(clientIds: string[]): Promise<void>;
  /** Keeps changes, all together or not at all. */
  save(patches: Patch[], users: User[]): Promise<void>;
  /** Keeps the token; without one, forgets it. */
  setToken(token: string | undefined): Promise<void>;
  /** Keeps a preference; `undefined` forgets it. */
  setPreference(key: string, value: unknown): Promise<void>;
  /** Cached messages with `from` <= seq < `to`, perhaps with holes. */
  rows(chatId: ChatId, from: Seq, to: Seq): Promise<CachedRows>;
  /** Caches messages that are older than the window, within a bound. */
  cacheRows(chatId: ChatId, rows: CachedRows): Promise<void>;
  /** Forgets everything, preferences included. */
  clear(): Promise<void>;
  close(): void;
}
