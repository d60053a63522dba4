// Links to files. Each is signed for this user and a while: they are asked for together, and kept until they are about to end.

import { ChaparError } from "../error.js";
import type { ChatId, FileLink, Links as FileLinks, Seq } from "../protocol.js";

/** How long wishes gather, in milliseconds: a screen of photos is one request. */
const GATHER = 15;
/** Most files of one request. */
const MOST = 100;
/** A link is asked for anew so long before its end, in milliseconds. */
const MARGIN = 60_000;
/** Files whose links are kept. */
const KEPT = 2_000;

/** A file as a message names it. */
export interface FileRef {
  seq: Seq;
  fileId: string;
}

/** The links of one file by size: `original`, or the longer side in pixels of a smaller picture. */
export type LinksOfFile = ReadonlyMap<string, string>;

interface Wish {
  ref: FileRef;
  resolve: (links: LinksOfFile | undefined) => void;
  reject: (error: unknown) => void;
}

export class Links {
  readonly #base: string;
  readonly #ask: (chatId: ChatId, files: { seq: Seq; file_id: string }[]) => Promise<FileLinks>;
  readonly #now: () => number;
  readonly #kept = new Map<string, { links: Promise<LinksOfFile | undefined>; until: number }>();
  readonly #wishes = new Map<ChatId, Wish[]>();

  constructor(base: string, ask: (chatId: ChatId, files: { seq: Seq; file_id: string }[]) => Promise<FileLinks>, now: () => number = Date.now) {
    this.#base = base;
    this.#ask = ask;
    this.#now = now;
  }

  /** The links of a file of a message; undefined when it may not be read (any more). */
  of(chatId: ChatId, ref: FileRef, anew = false): Promise<LinksOfFile | undefined> {
    const key = `${chatId} ${ref.seq} ${ref.fileId}`;
    const kept = this.#kept.get(key);
    if (kept && kept.until > this.#now() && !anew) return kept.links;
    const links = new Promise<LinksOfFile | undefined>((resolve, reject) => {
      const wishes = this.#wishes.get(chatId);
      if (wishes) wishes.push({ ref, resolve, reject });
      else {
        this.#wishes.set(chatId, [{ ref, resolve, reject }]);
        setTimeout(() => void this.#fetch(chatId), GATHER);
      }
    });
    const entry = { links, until: Infinity };
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    if (this.#kept.size > KEPT) for (const first of this.#kept.keys()) {
      this.#kept.delete(first);
      break;
    }
    const forget = (): void => void (this.#kept.get(key) === entry && this.#kept.delete(key));
    links.then((found) => (found ? (entry.until = this.#ends.get(found) ?? 0) : forget()), forget);
    return links;
  }

  readonly #ends = new WeakMap<LinksOfFile, number>();

  async #fetch(chatId: ChatId): Promise<void> {
    const wishes = this.#wishes.get(chatId) ?? [];
    this.#wishes.delete(chatId);
    for (let at = 0; at < wishes.length; at += MOST) {
      const some = wishes.slice(at, at + MOST);
      try {
        const asked = this.#now();
        const answer = await this.#ask(chatId, some.map(({ ref }) => ({ seq: ref.seq, file_id: ref.fileId })));
        const until = Math.max(Date.parse(answer.expires_at) - MARGIN, asked + 1_000);
        const by = new Map<string, Map<string, string>>();
        for (const link of answer.links) this.#put(by, link);
        for (const links of by.values()) this.#ends.set(links, until);
        for (const { ref, resolve } of some) resolve(by.get(ref.fileId));
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
  }

  #put(by: Map<string, Map<string, string>>, { file_id, size, url }: FileLink): void {
    const links = by.get(file_id) ?? new Map<string, string>();
    links.set(size, /^https?:/.test(url) ? url : this.#base + url);
    by.set(file_id, links);
  }

  /** Reads a file, or a part of it: `range` are the first and the last byte. A link that ended meanwhile is replaced once. */
  async download(chatId: ChatId, ref: FileRef, options: { size?: string; range?: [number, number?]; signal?: AbortSignal } = {}): Promise<Response> {
    const { size = "original", range, signal } = options;
    for (let tries = 0; ; tries++) {
      const url = (await this.of(chatId, ref, tries > 0))?.get(size);
      if (url === undefined) throw new ChaparError("file_not_found", "the file cannot be read");
      let response: Response;
      try {
        const headers = range && { Range: `bytes=${range[0]}-${range[1] ?? ""}` };
        response = await fetch(url, { credentials: "omit", ...(headers && { headers }), ...(signal && { signal }) });
      } catch (error) {
        if (signal?.aborted) throw new ChaparError("cancelled", "the download was cancelled");
        throw new ChaparError("unreachable", error instanceof Error ? error.message : "the server cannot be reached", "retry");
      }
      if (response.ok) return response;
      if (tries > 0 || ![401, 403, 404, 410].includes(response.status)) throw new ChaparError(response.status >= 500 ? "unreachable" : "file_not_found", `HTTP ${response.status}`, response.status >= 500 ? "retry" : "give_up");
    }
  }
}
