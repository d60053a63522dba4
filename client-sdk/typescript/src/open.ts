// Which store, and whether tabs share it.

import type { Backend } from "./backend.js";
import type { ClientOptions } from "./client.js";
import type { ClientEvent } from "./core/event.js";
import { DEFAULT_CONFIG } from "./core/session.js";
import { Host, stateOf } from "./host.js";
import { MemoryStore } from "./store/memory.js";
import type { Store } from "./store/store.js";
import type { View } from "./view.js";

/** Opens the store and whoever holds the connection. */
export async function open(options: ClientOptions, websocketUrl: string, tell: (events: ClientEvent[]) => void): Promise<Backend> {
  const store = options.store ?? new MemoryStore();
  const view = await load(store, options.token);
  return new Host({
    websocketUrl,
    WebSocket: options.WebSocket,
    config: { ...DEFAULT_CONFIG, ...options.config },
    store,
    onChange: ({ events }) => tell(events),
  }, view);
}

/** What was saved, as it is shown before there is a network. */
export async function load(store: Store, token?: string): Promise<View> {
  const saved = await store.load();
  const it = token ?? saved.token;
  return {
    state: stateOf(saved),
    outbox: saved.outbox.map((item) => ({
      item,
      state: item.failed ? { state: "failed", error: item.failed } : { state: "waiting", written: true },
    })),
    connection: it === undefined ? { state: "stopped", stop: { reason: "signed_out", message: "no token" } } : { state: "connecting" },
    inStep: false,
    users: new Map(saved.users.map((user) => [user.id, user])),
    preferences: new Map(saved.preferences),
    persistent: store.persistent,
    token: it,
  };
}
