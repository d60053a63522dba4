// A resumable upload by tus 1.0 over `fetch`: it goes on where the server stands, whatever happened to the network, the page or
// the server meanwhile. Bytes are read from the Blob piece by piece, so memory is bounded by one piece.

import { Backoff, type Dice } from "../core/backoff.js";
import { isObject, wireError } from "../core/read.js";
import { ChaparError, serverError } from "../error.js";
import type { ErrorCode, FileInfo, FileKind } from "../protocol.js";

/** The first piece, which goes with the creation, and the smallest, in bytes. */
const FIRST = 128 * 1024;
/** The largest piece, in bytes: proxies refuse larger bodies. */
const LARGEST = 8 * 1024 * 1024;
/** How long a piece should take, in milliseconds: short enough to show progress, long enough for round trips not to count. */
const PACE = 3_000;
/** A piece that takes longer hangs: it is broken off, and what arrived of it counts. In milliseconds. */
const STALLED = 60_000;
/** However long the server wants to be left alone, it is asked again after so many milliseconds. */
const LONGEST_WAIT = 600_000;
/** So many times the upload may vanish at the server without a byte of progress. */
const VANISHED = 3;
/** So often the server is told that an upload is not wanted any more, and so long between, in milliseconds. */
const FORGET = 5;
const FORGET_PAUSE = 2_000;

/** What is uploaded, and who hears of it. */
export interface UploadOptions {
  /** The address of the HTTP API. */
  base: string;
  token: string;
  kind: FileKind;
  name?: string | undefined;
  type?: string | undefined;
  /** The upload of this id goes on. */
  id?: string | undefined;
  /** Ends it; what is at the server stays there for a while. */
  signal?: AbortSignal | undefined;
  /** The server has named it: keep the id to go on after a crash. */
  onBegin?(id: string): void;
  /** So many bytes are at the server, for good. */
  onSent?(bytes: number): void;
  /** Nothing moves: the code says why. It goes on by itself. */
  onHindered?(code: string): void;
  /** The server has forgotten it: it begins anew. */
  onAnew?(): void;
  /** Called with what cuts a waiting short, for a network that came back. */
  onWait?(hurry: () => void): void;
  fetch?: typeof fetch;
  dice?: Dice;
}

/** Why a request did not do what it should, and what follows. */
class Trouble extends Error {
  readonly then: "again" | "look" | "anew" | "end";
  readonly error: ChaparError;

  constructor(then: Trouble["then"], error: ChaparError) {
    super(error.message);
    this.then = then;
    this.error = error;
  }
}

/**
 * Brings a Blob to the server and returns the id of the file. Tries again without end what can be tried again; rejects with a
 * `ChaparError`: the server's for good, `signed_out`, `cancelled`, or `file_unreadable` when the file has changed or gone.
 */
export async function upload(blob: Blob, options: UploadOptions): Promise<string> {
  const dice = options.dice ?? ((bound: number) => Math.floor(Math.random() * bound));
  const backoff = new Backoff();
  let { id } = options;
  let offset: number | undefined;
  let piece = FIRST;
  let vanished = 0;
  for (;;) {
    if (options.signal?.aborted) throw new ChaparError("cancelled", "the upload was cancelled");
    try {
      const before = offset ?? 0;
      const began = performance.now();
      if (id === undefined) {
        const made = await create(blob.slice(0, FIRST), blob.size, options);
        id = made.id;
        offset = made.offset;
        options.onBegin?.(id);
      } else if (offset === undefined) {
        const found = await look(id, options);
        offset = found.offset;
        // One that has grown beside its recording is whole when the server knows its length, too.
        if (found.open && offset >= blob.size) offset = await append(id, new Blob([]), offset, options, blob.size);
      } else {
        offset = await append(id, blob.slice(offset, offset + piece), offset, options, blob.size);
        piece = paced(piece, performance.now() - began);
      }
      if (offset > before) {
        vanished = 0;
        backoff.reset();
      }
      options.onSent?.(Math.min(offset, blob.size));
      if (offset >= blob.size) return id;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (options.signal?.aborted) throw new ChaparError("cancelled", "the upload was cancelled");
      if (error.then === "end") throw error.error;
      if (error.then === "anew") {
        if (++vanished > VANISHED) throw error.error;
        id = undefined;
        options.onAnew?.();
      } else if (!(await readable(blob.slice(offset ?? 0, (offset ?? 0) + 1)))) {
        throw new ChaparError("file_unreadable", "the file cannot be read any more");
      }
      // What arrived of a piece that broke counts: the server knows how much.
      offset = undefined;
      piece = Math.max(FIRST, piece >> 1);
      options.onHindered?.(error.error.code);
      const own = backoff.next(dice);
      await pause(Math.min(error.error.retryAfterMs ?? own, LONGEST_WAIT), options);
    }
  }
}

/** Waits until the server has looked at a file; rejects when it refuses it. */
export async function whenReady(ask: () => Promise<FileInfo>, signal?: AbortSignal): Promise<FileInfo> {
  for (let wait = 100; ; wait = Math.min(wait * 2, 2_000)) {
    if (signal?.aborted) throw new ChaparError("cancelled", "the upload was cancelled");
    const info = await ask();
    if (info.state === "ready") return info;
    if (info.state === "refused") throw new ChaparError(info.refused ?? "file_refused", "the file was refused");
    if (info.state === "held") throw new ChaparError("file_held", "the file is held");
    await pause(wait, { signal });
  }
}

/**
 * An upload that grows while its file is made, such as a voice that is recorded: when it is over, only its end has still to go up.
 * It tries nothing twice: what of it did not arrive goes up with the message (`uploadId` of `sendFile`).
 */
export class Growing {
  readonly #options: Reach & Pick<UploadOptions, "kind" | "name" | "type">;
  #id: string | undefined;
  #offset = 0;
  #broken = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: Reach & Pick<UploadOptions, "kind" | "name" | "type">) {
    this.#options = options;
  }

  /** Puts more at the end. */
  add(piece: Blob): void {
    this.#turn = this.#turn.then(() => this.#add(piece));
  }

  async #add(piece: Blob): Promise<void> {
    if (this.#broken) return;
    try {
      if (this.#id === undefined) {
        const made = await create(piece, undefined, this.#options);
        this.#id = made.id;
        this.#offset = made.offset;
      } else {
        this.#offset = await append(this.#id, piece, this.#offset, this.#options);
      }
    } catch {
      this.#broken = true;
    }
  }

  /** The id under which the upload goes on, when what was given is there; undefined when nothing of it is. */
  async settled(): Promise<string | undefined> {
    await this.#turn;
    return this.#id;
  }

  /** The server is to forget it. */
  async forget(): Promise<void> {
    const id = await this.settled();
    if (id !== undefined) await terminate(id, this.#options);
  }
}

/** Tells the server to forget an upload, some times while it does not hear. What is not told expires there. */
export async function terminate(id: string, options: Pick<UploadOptions, "base" | "token" | "fetch">): Promise<void> {
  for (let turn = 0; turn < FORGET; turn++) {
    try {
      await ask(`${options.base}/files/${id}`, "DELETE", {}, undefined, options);
      return;
    } catch (error) {
      if (!(error instanceof Trouble) || error.then === "anew" || error.then === "end") return;
      // The connection that was cut off just now may still count as its writer.
      await pause(error.error.retryAfterMs ?? FORGET_PAUSE, {});
    }
  }
}

/** The next piece: as large as takes the pace, growing at most fourfold. */
function paced(piece: number, took: number): number {
  const fit = (piece * PACE) / Math.max(took, 1);
  return Math.round(Math.min(Math.max(fit, FIRST), piece * 4, LARGEST));
}

type Reach = Pick<UploadOptions, "base" | "token" | "signal" | "fetch">;

async function create(first: Blob, size: number | undefined, options: Reach & Pick<UploadOptions, "kind" | "name" | "type">): Promise<{ id: string; offset: number }> {
  const { base, kind, name, type } = options;
  const meta = [["kind", kind], ["filename", name], ["filetype", type]].filter((it): it is [string, string] => it[1] !== undefined && it[1] !== "");
  const headers = {
    ...(size === undefined ? { "Upload-Defer-Length": "1" } : { "Upload-Length": String(size) }),
    "Upload-Metadata": meta.map(([key, value]) => `${key} ${base64(value)}`).join(","),
    "Content-Type": "application/offset+octet-stream",
  };
  const response = await ask(`${base}/files`, "POST", headers, first.size ? first : undefined, options);
  const id = response.headers.get("Location")?.split("?")[0]?.replace(/\/+$/, "").split("/").at(-1);
  if (response.status !== 201 || !id) throw misread();
  return { id, offset: count(response, "Upload-Offset") ?? 0 };
}

async function look(id: string, options: Reach): Promise<{ offset: number; open: boolean }> {
  const response = await ask(`${options.base}/files/${id}`, "HEAD", {}, undefined, options);
  const offset = count(response, "Upload-Offset");
  if (offset === undefined) throw misread();
  return { offset, open: response.headers.get("Upload-Defer-Length") === "1" };
}

/** With the whole length, which the server may not know yet. */
async function append(id: string, piece: Blob, offset: number, options: Reach, whole?: number): Promise<number> {
  const headers = {
    "Upload-Offset": String(offset),
    "Content-Type": "application/offset+octet-stream",
    ...(whole !== undefined && { "Upload-Length": String(whole) }),
  };
  const to = count(await ask(`${options.base}/files/${id}`, "PATCH", headers, piece, options), "Upload-Offset");
  if (to === undefined) throw misread();
  return to;
}

const misread = (): Trouble => new Trouble("look", new ChaparError("bad_reply", "an answer that is not one of tus"));

async function ask(url: string, method: string, headers: Record<string, string>, body: Blob | undefined, options: Pick<UploadOptions, "token" | "signal" | "fetch">): Promise<Response> {
  const { token, signal } = options;
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), STALLED);
  const end = (): void => stalled.abort();
  signal?.addEventListener("abort", end, { once: true });
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method,
      headers: { ...headers, Authorization: `Bearer ${token}`, "Tus-Resumable": "1.0.0" },
      signal: stalled.signal,
      credentials: "omit",
      cache: "no-store",
      ...(body && { body }),
    });
    if (response.ok) return response;
    throw await refused(response);
  } catch (error) {
    if (error instanceof Trouble) throw error;
    throw new Trouble("look", new ChaparError("unreachable", error instanceof Error ? error.message : "the server cannot be reached", "retry"));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

/** What a refusal means. The server's own word on what to do counts more than the status; to HEAD it can say none. */
async function refused(response: Response): Promise<Trouble> {
  const { status } = response;
  const text = await response.text().catch(() => "");
  let told: unknown;
  try {
    const answer: unknown = JSON.parse(text);
    told = isObject(answer) && isObject(answer.error) ? answer.error : answer;
  } catch {
    // A proxy answered, or HEAD.
  }
  const known = isObject(told) && typeof told.code === "string" ? serverError(wireError(told)) : undefined;
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  const named = Number.isFinite(seconds) ? seconds * 1_000 : undefined;
  const error = known ?? new ChaparError(codeOf(status), `HTTP ${status}`, status >= 500 || status === 429 ? "retry" : "give_up", named);
  if (status === 404 || status === 410) return new Trouble("anew", error);
  if (status === 401) return new Trouble("end", new ChaparError("signed_out", error.message, "re_authenticate"));
  const again = known ? known.action === "retry" || known.action === "resume" : status >= 500 || [408, 409, 423, 425, 429, 460].includes(status);
  return new Trouble(again ? "again" : "end", error);
}

const codeOf = (status: number): ErrorCode | "unreachable" =>
  (({ 404: "file_not_found", 409: "upload_conflict", 410: "upload_gone", 413: "file_too_large", 423: "upload_locked", 429: "quota_exceeded" }) as const)[status] ?? "unreachable";

/** Whether a file is still there and as it was: a browser refuses to read one that was changed since it was chosen. */
async function readable(piece: Blob): Promise<boolean> {
  return piece.arrayBuffer().then(() => true, () => false);
}

function count(response: Response, header: string): number | undefined {
  const value = response.headers.get(header);
  return value !== null && /^\d+$/.test(value) ? Number(value) : undefined;
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** Waits, unless it is cancelled or hurried. */
function pause(ms: number, { signal, onWait }: Pick<UploadOptions, "signal" | "onWait">): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    }
    signal?.addEventListener("abort", end, { once: true });
    onWait?.(end);
  });
}
