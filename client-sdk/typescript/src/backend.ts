// What a client asks of whoever holds the connection: this tab, or another one.

import type { OutboxItem } from "./core/patch.js";
import type { Effect } from "./core/requests.js";
import type { User, UserId } from "./protocol.js";
import type { CachedRows } from "./store/store.js";
import type { View } from "./view.js";

/** One wish. It crosses between tabs as it is, and may be asked twice when the leading tab changes. */
export type Op =
  /** `key` names one that may be given up. */
  | { op: "request"; method: string; params: unknown; effect: Effect; key?: string }
  /** Nobody waits any more for the request of this key. */
  | { op: "abandon"; key: string }
  /** `files`: the bytes of the item's files, in their order. */
  | { op: "send"; item: OutboxItem; files?: Blob[] }
  /** The bytes of a file of a message in the outbox. */
  | { op: "file"; clientId: string; index: number }
  | { op: "cancel"; clientId: string }
  | { op: "retry"; clientId: string }
  | { op: "hurry" }
  | { op: "watch"; tab: string; userIds: UserId[] }
  | { op: "users"; userIds: UserId[] }
  | { op: "rows"; chatId: number; from: number; to: number }
  | { op: "cache"; chatId: number; rows: CachedRows }
  | { op: "preference"; key: string; value: unknown }
  /** Somebody signed in. */
  | { op: "token"; token: string; user: User }
  /** Forget the token and everything else. */
  | { op: "forget" };

/** Whoever does it. */
export interface Backend {
  readonly view: View;
  do(op: Op): Promise<unknown>;
  /** Saves what changed, now. */
  save(): Promise<void>;
  /** Ends it; what is to be saved is saved. */
  close(): Promise<void>;
}
