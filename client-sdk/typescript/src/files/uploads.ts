// Brings up the files of the outbox. Loaded when the first one is there.

import type { OutboxFile } from "../core/attached.js";
import type { Input } from "../core/session_io.js";
import { ChaparError } from "../error.js";
import { terminate, upload } from "./tus.js";

/** Progress is told once in so many milliseconds at most. */
const TELL_EVERY = 200;

export class Uploads {
  readonly #base: string;
  readonly #token: () => string | undefined;
  readonly #say: (input: Input) => void;
  readonly #running = new Map<string, Set<AbortController>>();
  readonly #waits = new Set<() => void>();

  constructor(base: string, token: () => string | undefined, say: (input: Input) => void) {
    this.#base = base;
    this.#token = token;
    this.#say = say;
  }

  async begin(clientId: string, index: number, file: OutboxFile, bytes: Promise<Blob | undefined>): Promise<void> {
    const end = new AbortController();
    const ends = this.#running.get(clientId) ?? new Set();
    this.#running.set(clientId, ends.add(end));
    try {
      await this.#bring(clientId, index, file, bytes, end.signal);
    } finally {
      ends.delete(end);
      if (ends.size === 0 && this.#running.get(clientId) === ends) this.#running.delete(clientId);
    }
  }

  async #bring(clientId: string, index: number, file: OutboxFile, bytes: Promise<Blob | undefined>, signal: AbortSignal): Promise<void> {
    const say = (step: Extract<Input, { type: "file" }>["step"]): void => {
      if (!signal.aborted) this.#say({ type: "file", clientId, index, step });
    };
    const blob = await bytes.catch(() => undefined);
    const token = this.#token();
    if (token === undefined) return say({ at: "paused" });
    let told = 0;
    try {
      // The bytes lasted as long as another page, or the browser has cleared its storage.
      if (!blob) throw new ChaparError("file_unreadable", "the file is not here any more");
      const id = await upload(blob, {
        base: this.#base,
        token,
        kind: file.kind,
        name: file.name,
        type: file.type,
        id: file.id,
        signal,
        onBegin: (id) => say({ at: "begun", id }),
        onAnew: () => say({ at: "anew" }),
        onHindered: (code) => say({ at: "hindered", code }),
        onSent: (sent) => {
          if (performance.now() - told < TELL_EVERY) return;
          told = performance.now();
          say({ at: "sent", bytes: sent });
        },
        onWait: (hurry) => this.#waits.add(hurry),
      });
      say({ at: "done", id });
    } catch (error) {
      if (signal.aborted) return;
      const it = error instanceof ChaparError ? error : new ChaparError("unreachable", String(error), "retry");
      // A new sign-in goes on with it.
      if (it.action !== "give_up") return say({ at: "paused" });
      this.#say({ type: "file_failed", clientId, error: { code: it.code as never, message: it.message, action: "give_up" } });
    }
  }

  /** Lets the uploads of a message be, and tells the server which to forget. */
  stop(clientId: string, forget: string[]): void {
    for (const end of this.#running.get(clientId) ?? []) end.abort();
    this.#running.delete(clientId);
    const token = this.#token();
    if (token !== undefined) for (const id of forget) void terminate(id, { base: this.#base, token });
  }

  /** Lets all of them be: another tab or another start goes on. */
  stopAll(): void {
    for (const ends of this.#running.values()) for (const end of ends) end.abort();
    this.#running.clear();
  }

  /** The network came back. */
  hurry(): void {
    const waits = [...this.#waits];
    this.#waits.clear();
    for (const end of waits) end();
  }
}
