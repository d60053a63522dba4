import type { Action, ErrorCode, WireError } from "./protocol.js";
import type { Refusal } from "./core/session_io.js";
import { actionOf, type Stop } from "./core/event.js";

/**
 * Codes that the SDK itself adds to the server's `ErrorCode`:
 *
 * | code | meaning | action |
 * |---|---|---|
 * | `unreachable` | The HTTP API could not be reached, or a proxy answered instead. | retry |
 * | `timeout` | No answer in time (30 s), reconnections included. Whether it took effect is unknown; a repetition does no harm. | retry |
 * | `outbox_full` | More than 1,000 messages wait. | retry |
 * | `signed_out` | There is no token, or it is no longer good. | re_authenticate |
 * | `closed` | The client was closed. | give_up |
 * | `refused` | The server will never take what this client does. | give_up |
 * | `other_user` | The store belongs to somebody else: `signOut()` first, which empties it. | give_up |
 * | `cancelled` | The message was taken back before it was written, or a failed one was discarded; or a request's `signal` ended the waiting. | give_up |
 * | `store_failed` | The message could not be kept and was not sent. | give_up |
 * | `bad_reply` | The server answered what this version cannot read. | give_up |
 * | `bad_url` | Not an `http`, `https`, `ws` or `wss` address. | give_up |
 * | `no_websocket` | This platform has no `WebSocket`: pass a constructor in the options. | give_up |
 * | `file_unreadable` | The file was changed or taken away before all of it was sent, or its bytes did not outlive the page. | give_up |
 * | `media_denied` | Microphone or camera were refused. `message` says which. | give_up |
 * | `media_missing` | There is no microphone or camera, or another program holds it. | give_up |
 * | `no_call` | There is no such call here, or it is not in a state for this. | give_up |
 */
export type LocalErrorCode =
  | "unreachable"
  | "timeout"
  | "outbox_full"
  | "signed_out"
  | "closed"
  | "refused"
  | "other_user"
  | "cancelled"
  | "store_failed"
  | "bad_reply"
  | "bad_url"
  | "no_websocket"
  | "file_unreadable"
  | "media_denied"
  | "media_missing"
  | "no_call";

/** Why a call failed. Show a translation of `code`; `message` is for people who read logs; `action` says what to do. */
export class ChaparError extends Error {
  override readonly name = "ChaparError";
  /** Why. New codes may come: read those unknown by `action`. */
  readonly code: ErrorCode | LocalErrorCode;
  /** What to do about it. */
  readonly action: Action;
  /** How long to wait before a retry, in milliseconds, when the server named it. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode | LocalErrorCode, message: string, action: Action = "give_up", retryAfterMs?: number) {
    super(message || code);
    this.code = code;
    this.action = action;
    this.retryAfterMs = retryAfterMs;
  }

  /** What another tab told, or a plain object that holds the same fields. */
  static from(it: { code: string; message: string; action: Action; retryAfterMs?: number | undefined }): ChaparError {
    return new ChaparError(it.code as ErrorCode, it.message, it.action, it.retryAfterMs);
  }

  /** For a message between tabs. */
  toJSON(): { code: string; message: string; action: Action; retryAfterMs: number | undefined } {
    const { code, message, action, retryAfterMs } = this;
    return { code, message, action, retryAfterMs };
  }
}

export const serverError = (it: WireError): ChaparError =>
  new ChaparError(it.code, it.message, it.action, it.retry_after_ms);

export function stopError(stop: Stop): ChaparError {
  const message = "message" in stop ? stop.message : "the session ended";
  return new ChaparError(stop.reason, message, actionOf(stop));
}

export function refusalError(refusal: Refusal): ChaparError {
  switch (refusal.reason) {
    case "server":
      return serverError(refusal.error);
    case "stopped":
      return stopError(refusal.stop);
    case "timeout":
      return new ChaparError("timeout", "no answer in time", "retry");
    case "outbox":
      return new ChaparError("outbox_full", "too many messages wait", "retry");
    case "store":
      return new ChaparError("store_failed", "the message could not be kept, and was not sent");
    case "cancelled":
      return new ChaparError("cancelled", "the message was cancelled");
    case "bad_reply":
      return new ChaparError("bad_reply", "an answer that cannot be read");
  }
}
