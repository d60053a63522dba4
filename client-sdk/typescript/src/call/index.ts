/**
 * Calls in browsers: voice and video between two people, on RTCPeerConnection. An entry of its own, so that an
 * application loads it when the first call comes:
 *
 * ```ts
 * const { Calls } = await import("@chapar/client/call");
 * const calls = new Calls(client);
 * ```
 *
 * @module
 */

export { Calls, type CallEvents } from "./calls.js";
export { Call } from "./call.js";
export type { CallStatus } from "./status.js";
export type { Devices } from "./media.js";
export { levelOf, type CallStats, type Level } from "./quality.js";
export { EMOJI } from "./sas.js";
