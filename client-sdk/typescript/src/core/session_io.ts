// The words of a session: what it is given, what it gives back, and where it stands.

import type { UserId, WireError } from "../protocol.js";
import type { ClientEvent, Stop } from "./event.js";
import type { OutboxFile } from "./attached.js";
import type { FileStep } from "./outbox.js";
import type { OutboxItem } from "./patch.js";
import type { Effect } from "./requests.js";

/** Bounds and times of a session. Times in milliseconds. */
export interface Config {
  /** Messages held in memory at the end of each chat. */
  window: number;
  /** Messages in the outbox. */
  outbox: number;
  /** Messages on their way to the server at once, each of another chat. */
  outboxInFlight: number;
  /** Files on their way up at once. */
  uploads: number;
  /** How long a request may take, reconnections included. */
  requestTimeout: number;
  /** How long `hello` may take. */
  helloTimeout: number;
  /** Whether to ask `ping` after a silence of `heartbeat_seconds`: browsers cannot see WebSocket pings. */
  ping: boolean;
}

export const DEFAULT_CONFIG: Config = {
  window: 500,
  outbox: 1_000,
  outboxInFlight: 16,
  uploads: 2,
  requestTimeout: 30_000,
  helloTimeout: 15_000,
  ping: true,
};

/** What happened. */
export type Input =
  /** Nothing but that time passed. */
  | { type: "tick" }
  /** The socket that was asked for is open. */
  | { type: "opened" }
  /** A text frame came. */
  | { type: "frame"; text: string }
  /** A sign of life without a text: a ping or a pong. */
  | { type: "alive" }
  /** The socket could not be opened, broke, or was closed: with a code if there was one. */
  | { type: "lost"; code?: number | undefined; message: string }
  /** The person, or the system that saw a network come, would like a connection now, and to know whether it lives. */
  | { type: "hurry" }
  /** A request of the application; `ticket` names the waiting caller. */
  | { type: "request"; ticket: number; method: string; params: unknown; effect: Effect }
  /** The caller no longer waits. */
  | { type: "abandon"; ticket: number }
  /** A message for the outbox. */
  | { type: "send"; ticket: number; item: OutboxItem }
  /** The store has, or cannot take, a message. `fleeting`: it has the message without the bytes of its files. */
  | { type: "stored"; clientId: string; ok: boolean; fleeting?: boolean }
  /** Something happened to a file that goes up. */
  | { type: "file"; clientId: string; index: number; step: FileStep }
  /** A file will never go up. */
  | { type: "file_failed"; clientId: string; error: WireError }
  /** Take a message back that was never written, or discard one that failed. */
  | { type: "cancel"; clientId: string }
  /** Try a failed message again. */
  | { type: "retry"; clientId: string }
  /** The users whose presence is to be watched, on every connection to come. */
  | { type: "watch"; userIds: UserId[] }
  /** A token after "signed_out". */
  | { type: "token"; token: string }
  /** End it: for good, or until somebody signs in again. */
  | { type: "close"; stop: Stop };

/** Why a caller gets no reply. */
export type Refusal =
  | { reason: "server"; error: WireError }
  | { reason: "stopped"; stop: Stop }
  | { reason: "timeout" | "outbox" | "store" | "cancelled" | "bad_reply" };

/** What is to be done, in this order. */
export type Output =
  | { type: "connect" }
  | { type: "write"; text: string }
  /** Close the socket with this code; nothing more is to come from it. */
  | { type: "disconnect"; code: number }
  /** Put a message into the store, then say `stored`. */
  | { type: "store"; item: OutboxItem }
  /** Bring a file of a message up, and tell by `file` how it goes. */
  | { type: "upload"; clientId: string; index: number; file: OutboxFile }
  /** Let the uploads of a message be; `forget`: tell the server to forget those, too. */
  | { type: "stop_uploads"; clientId: string; forget: string[] }
  /** Take a message out of the store. */
  | { type: "unstore"; clientId: string }
  | { type: "answer"; ticket: number; reply: unknown }
  | { type: "refuse"; ticket: number; refusal: Refusal }
  | { type: "tell"; event: ClientEvent };

/**
 * Where a session stands with its connection. Times in milliseconds of the core's clock.
 *
 *            ┌──────────── token given ◄──────────────┐
 *            ▼                                        │
 *  ┌──► waiting ──time──► connecting ──open──► greeting ──welcome──► live ──drain──► draining
 *  │         ▲               │                  │   │                  │  │              │
 *  │         └─── failed ────┴───── lost ───────┘   │                  │  │              │
 *  ├────────────────────── lost, silent ────────────┼──────────────────┘  │              │
 *  └────────────────────── lost, time ──────────────┼─────────────────────┼──────────────┘
 *                                                   ▼                     ▼
 *                                                stopped  ◄── signed out, refused, closed
 */
export type Phase =
  /** `named`: the server named the time, nothing shortens it. */
  | { at: "waiting"; until: number; named: boolean }
  | { at: "connecting" }
  | { at: "greeting"; until: number }
  | { at: "live"; since: number }
  | { at: "draining"; until: number }
  | { at: "stopped"; stop: Stop };
