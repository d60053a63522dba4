// What the pages of the browser tests hold.

import * as sdk from "../../src/index.js";
import { IndexedDbStore } from "../../src/store/indexeddb.js";
import * as call from "../../src/call/index.js";

export const chapar = { ...sdk, ...call };

/** Waits until something holds, looking again after each event. */
export function until(client: sdk.Client, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const off = client.on("*", () => look());
    const look = (): void => {
      if (!holds()) return;
      off();
      resolve();
    };
    look();
  });
}

/** How many messages of a chat are in the store by now: changes gather for a moment before they are saved. */
export async function saved(chatId: number): Promise<number> {
  const store = await IndexedDbStore.open("default");
  const { chats } = await store.load();
  store.close();
  return chats.find(({ head }) => head.info.id === chatId)?.messages?.length ?? 0;
}

Object.assign(globalThis, { chapar, until, saved });
