// What the pages of the browser tests hold.

import * as sdk from "../../src/index.js";
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

Object.assign(globalThis, { chapar, until });
