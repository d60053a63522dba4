// What is too large to be sent. Looked at before anything is kept: a message that no frame can carry would stand in the
// way of all that follow, and a frame beyond the bound ends the connection (1009).

import type { NewBody, WireError } from "../protocol.js";

/** Largest body of a message, in bytes of its JSON (docs/PROTOCOL.md, section 5). */
export const BODY_BYTES = 32 * 1024;
/** Largest frame that a client may send, in bytes. */
export const FRAME_BYTES = 128 * 1024;
/** What a request has around its params. */
const ENVELOPE_BYTES = 128;

const utf8 = new TextEncoder();
const bytes = (value: unknown): number => utf8.encode(JSON.stringify(value) ?? "").length;
const tooLarge = (message: string): WireError => ({ code: "too_large", message, action: "give_up" });

/** Bytes of a body as the server counts them. */
export function bodyBytes(body: NewBody): number {
  const { entities, ...rest } = body as { entities?: unknown[] };
  return bytes(entities?.length ? body : rest);
}

/** Why a body cannot be sent, if so. */
export function checkBody(body: NewBody): WireError | undefined {
  // The longest escape makes six bytes of one unit.
  if (body.kind === "text" && !body.entities?.length && body.text.length <= BODY_BYTES / 8) return undefined;
  return bodyBytes(body) > BODY_BYTES
    ? tooLarge("a message has at most 32,768 bytes with its marks and links")
    : undefined;
}

/** Why a request cannot be sent, if so. */
export function checkRequest(method: string, params: unknown): WireError | undefined {
  return method.length + bytes(params) + ENVELOPE_BYTES > FRAME_BYTES ? tooLarge("a request has at most 128 KiB") : undefined;
}
