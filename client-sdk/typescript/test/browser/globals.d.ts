// What the bundle of test/support/entry.ts puts into the pages, where the functions given to `evaluate` run.

import type { Call, Calls } from "../../src/call/index.js";
import type { Client } from "../../src/index.js";
import type * as entry from "../support/entry.js";

declare global {
  var chapar: typeof entry.chapar;
  var until: typeof entry.until;
  var saved: typeof entry.saved;
  var client: Client;
  var calls: Calls;
  var call: Call;
  var log: string[];
  var player: HTMLAudioElement;
  var told: string[];
  var tracks: MediaStreamTrack[];
}
