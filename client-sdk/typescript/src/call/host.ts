// What a call and those who have it need from each other.

import type { Client } from "../client.js";
import type { AskCall, CallId, IceServer } from "../protocol.js";
import type { Call } from "./call.js";
import type { Devices } from "./media.js";

/** An ask without the call that it belongs to. */
export type Ask = AskCall extends infer T ? (T extends { call_id: CallId } ? Omit<T, "call_id"> : never) : never;

/** What a call needs from the whole. */
export interface CallHost {
  readonly client: Client;
  readonly devices: Devices;
  relays(callId: CallId): Promise<IceServer[]>;
  changed(call: Call, what: "change" | "stats"): void;
  /** It is over here, though the server has not said so and will not. */
  over(call: Call, reason: "node_lost" | "dropped"): void;
}
