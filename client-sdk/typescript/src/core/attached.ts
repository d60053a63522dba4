// The files of a message in the outbox: their bytes go up before the message goes out.

import type { FileKind, NewBody } from "../protocol.js";

/** What whoever sends knows of a file, to show the message while it is on its way. The server's word replaces it. */
export interface FileFacts {
  width?: number;
  height?: number;
  duration_ms?: number;
  /** A thumbhash in base64. */
  preview?: string;
  waveform?: string;
}

/** A file of a message in the outbox. Its bytes are kept beside the message, not in it. */
export interface OutboxFile {
  /** Which message of an album it belongs to; 0 where there is only one. */
  part: number;
  /** The field of the body that names it. */
  slot: "file_id" | "poster";
  kind: FileKind;
  name?: string;
  type: string;
  size: number;
  facts?: FileFacts;
  /** What the server named it when the upload began: it goes on there, also after the end of the page. */
  id?: string;
  /** All of it is at the server. */
  done?: true;
  /** The bytes could not be kept: they last as long as the page. */
  fleeting?: true;
}

/** One more message of an album. */
export interface AlbumPart {
  client_id: string;
  body: NewBody;
}

/** Bytes of one upload above which it does not keep later messages with files waiting. */
const LARGE = 8 * 1024 * 1024;

export const isWhole = (files: readonly OutboxFile[] | undefined): boolean => files?.every((it) => it.done) ?? true;

/** Whether later files of the same chat wait for these: a long video must not keep a voice message back. */
export const keepsBack = (files: readonly OutboxFile[] | undefined): boolean => (files ?? []).reduce((sum, it) => sum + it.size, 0) <= LARGE;

/** A body that names its files as the server does. */
export function bodyWithFiles(body: NewBody, files: readonly OutboxFile[] | undefined, part: number): NewBody {
  const named = (files ?? []).filter((it) => it.part === part && it.id !== undefined).map((it) => [it.slot, it.id]);
  return named.length ? ({ ...body, ...Object.fromEntries(named) } as NewBody) : body;
}

/** The name under which the bytes of a file are kept. */
export const fileKey = (clientId: string, index: number): string => `${clientId}/${index}`;
