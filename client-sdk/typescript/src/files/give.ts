// What an application says of a file that it sends, as the outbox keeps it.

import type { FileFacts, OutboxFile } from "../core/attached.js";
import type { Entity, FileKind, NewBody } from "../protocol.js";

/** What is said of a file that is sent. */
export interface FileOptions {
  /** What it is sent as; `document` unless given: every byte as it is. */
  kind?: Exclude<FileKind, "poster" | "avatar">;
  /** The name to save it under; that of the `File` unless given. */
  name?: string;
  /** What is written under it. */
  text?: string;
  entities?: Entity[];
  /** Covered until it is touched: photos and videos. */
  spoiler?: boolean;
  /** The emoji of a sticker. */
  emoji?: string;
  /** Of music. */
  title?: string;
  performer?: string;
  /** Needed for `video` (`width`, `height`, `duration_ms`) and `round` (`duration_ms`); else only for the own view until the server's word is here. */
  facts?: FileFacts;
  /** The picture that stands for a video. */
  poster?: Blob;
  /** Part of it is at the server already: see `Client.growing`. */
  uploadId?: string;
}

/** One of an album. */
export interface AlbumFile extends FileOptions {
  file: Blob;
}

/** Kinds that have a text under them. */
const CAPTIONED: ReadonlySet<string> = new Set(["photo", "video", "voice", "audio", "document"]);

/** A body without its files, the files, and their bytes. */
export function give(file: Blob, options: FileOptions, part: number): { body: NewBody; files: OutboxFile[]; bytes: Blob[] } {
  const { kind = "document", text, entities, spoiler, emoji, title, performer, facts, poster, uploadId } = options;
  const name = options.name ?? (file as { name?: string }).name;
  const body: Record<string, unknown> = { kind };
  const put = (values: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(values)) if (value !== undefined && value !== "" && value !== false) body[key] = value;
  };
  if (CAPTIONED.has(kind)) put({ text, entities: entities?.length ? entities : undefined });
  if (kind === "photo" || kind === "video") put({ spoiler });
  if (kind === "sticker") put({ emoji });
  if (kind === "audio") put({ title, performer });
  if (kind === "video") put({ width: facts?.width, height: facts?.height });
  if (kind === "video" || kind === "round") put({ preview: facts?.preview });
  if (["video", "round", "voice", "audio"].includes(kind) && facts?.duration_ms !== undefined) body.duration_ms = facts.duration_ms;
  if (kind === "voice") put({ waveform: facts?.waveform });
  const files: OutboxFile[] = [{ part, slot: "file_id", kind, ...(name && { name }), type: file.type, size: file.size, ...(facts && { facts }), ...(uploadId !== undefined && { id: uploadId }) }];
  const bytes = [file];
  if (poster && (kind === "video" || kind === "round")) {
    files.push({ part, slot: "poster", kind: "poster", type: poster.type, size: poster.size });
    bytes.push(poster);
  }
  return { body: body as unknown as NewBody, files, bytes };
}
