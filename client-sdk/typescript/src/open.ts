// Which store, and whether tabs share it.

import type { Backend } from "./backend.js";
import type { ClientOptions } from "./client.js";
import type { ClientEvent } from "./core/event.js";
import { asKept } from "./core/outbox.js";
import { DEFAULT_CONFIG } from "./core/session_io.js";
import type { Endpoint } from "./endpoint.js";
import { Host } from "./host.js";
import { IndexedDbStore } from "./store/indexeddb.js";
import { MemoryStore } from "./store/memory.js";
import type { Saved, Store } from "./store/store.js";
import { Tabs, browserTabs } from "./tabs.js";
import { stateOf, type View } from "./view.js";

/** Opens the store and whoever holds the connection. */
export async function openBackend(
  options: ClientOptions,
  at: Endpoint,
  tell: (events: ClientEvent[]) => void,
): Promise<Backend> {
  const name = nameOf(options);
  const tabs = (options.tabs ?? true) ? browserTabs() : undefined;
  // Two writers would spoil a store. Where tabs cannot agree (plain http), the application must say that there is one.
  const alone = tabs !== undefined || options.tabs === false;
  const { store, saved } = await openStore(options.store, alone ? name : undefined);
  const view = viewOf(saved, store.persistent, options.token);
  const host = { websocketUrl: at.websocket, httpUrl: at.http, WebSocket: options.WebSocket, config: { ...DEFAULT_CONFIG, ...options.config }, store };
  return tabs && !options.store ? new Tabs(tabs, name, host, view, tell) : new Host({ ...host, onChange: ({ events }) => tell(events) }, view);
}

/**
 * What the tabs of one account share, by name. Whoever is given a token speaks for its account and no other: two of them in
 * one process, or one beside the signed-in tabs, share nothing.
 */
export function nameOf({ name = "default", token }: Pick<ClientOptions, "name" | "token">): string {
  if (token === undefined) return name;
  // FNV-1a over both halves: a name, not a secret.
  let [low, high] = [0x811c9dc5, 0xcbf29ce4];
  for (let at = 0; at < token.length; at++) {
    low = Math.imul(low ^ token.charCodeAt(at), 0x01000193) >>> 0;
    high = Math.imul(high ^ token.charCodeAt(token.length - 1 - at), 0x01000193) >>> 0;
  }
  return `${name}-${high.toString(36)}${low.toString(36)}`;
}

/** The store and what is in it; memory where there is no IndexedDB, or it is blocked or broken. */
async function openStore(given: Store | undefined, name: string | undefined): Promise<{ store: Store; saved: Saved }> {
  if (given) return { store: given, saved: await given.load() };
  if (typeof indexedDB !== "undefined" && name !== undefined) {
    try {
      const store = await IndexedDbStore.open(name);
      return { store, saved: await store.load() };
    } catch {
      // The flag `persistent` tells the person.
    }
  }
  const store = new MemoryStore();
  return { store, saved: await store.load() };
}

/** What was saved, as it is shown before there is a network. */
export function viewOf(saved: Saved, persistent: boolean, given?: string): View {
  const token = given ?? saved.token;
  return {
    state: stateOf(saved),
    outbox: saved.outbox.map(asKept),
    connection: token === undefined ? { state: "stopped", stop: { reason: "signed_out", message: "no token" } } : { state: "connecting" },
    inStep: false,
    users: new Map(saved.users.map((user) => [user.id, user])),
    preferences: new Map(saved.preferences),
    persistent,
    token,
    calls: new Map(),
  };
}
