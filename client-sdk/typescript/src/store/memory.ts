import { fileKey } from "../core/attached.js";
import type { OutboxItem } from "../core/patch.js";
import type { CachedRows, Saved, Store } from "./store.js";

/** Keeps nothing beyond the process, apart from what two clients that share it one after the other need. */
export class MemoryStore implements Store {
  readonly persistent = false;
  readonly #outbox = new Map<string, OutboxItem>();
  readonly #files = new Map<string, Blob>();
  readonly #preferences = new Map<string, unknown>();
  #token: string | undefined;

  async load(): Promise<Saved> {
    const outbox = [...this.#outbox.values()];
    const saved: Saved = { chats: [], outbox, users: [], preferences: [...this.#preferences] };
    return this.#token === undefined ? saved : { ...saved, token: this.#token };
  }

  async putOutbox(items: OutboxItem[]): Promise<void> {
    for (const item of items) this.#outbox.set(item.client_id, item);
  }

  async removeOutbox(clientIds: string[]): Promise<void> {
    for (const clientId of clientIds) {
      for (const index of this.#outbox.get(clientId)?.files?.keys() ?? []) this.#files.delete(fileKey(clientId, index));
      this.#outbox.delete(clientId);
    }
  }

  async putFiles(item: OutboxItem, files: Blob[]): Promise<void> {
    this.#outbox.set(item.client_id, item);
    for (const [index, file] of files.entries()) this.#files.set(fileKey(item.client_id, index), file);
  }

  async file(clientId: string, index: number): Promise<Blob | undefined> {
    return this.#files.get(fileKey(clientId, index));
  }

  async save(): Promise<void> {}

  async setToken(token: string | undefined): Promise<void> {
    this.#token = token;
  }

  async setPreference(key: string, value: unknown): Promise<void> {
    if (value === undefined) this.#preferences.delete(key);
    else this.#preferences.set(key, value);
  }

  async rows(): Promise<CachedRows> {
    return { messages: [], reacted: [] };
  }

  async cacheRows(): Promise<void> {}

  async clear(): Promise<void> {
    this.#outbox.clear();
    this.#files.clear();
    this.#preferences.clear();
    this.#token = undefined;
  }

  close(): void {}
}
