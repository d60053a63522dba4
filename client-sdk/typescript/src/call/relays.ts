// How far each relay is, measured by how soon its STUN server answers.

import type { Client } from "../client.js";
import type { RelayInfo, RelayRoundTrip } from "../protocol.js";

/** A relay that has not answered by then is not measured, in milliseconds. */
const LONGEST = 1_500;
/** Relays that are measured at most, and so many at once. */
const MEASURED = 64;
const AT_ONCE = 8;
/** How long a measurement holds, in milliseconds. */
const HOLDS = 5 * 60_000;

/** Measures the relays of a server; keeps what it found for some minutes. */
export class RelayMeter {
  readonly #client: Client;
  #measured: { at: number; round_trips: Promise<RelayRoundTrip[]> } | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** The round trips, measured now or some minutes ago. Empty when nothing can be measured; never rejects. */
  roundTrips(): Promise<RelayRoundTrip[]> {
    const now = performance.now();
    if (!this.#measured || now - this.#measured.at > HOLDS) {
      this.#measured = { at: now, round_trips: this.#measure().catch(() => []) };
    }
    return this.#measured.round_trips;
  }

  /** Another network: what was measured does not hold any more. */
  forget(): void {
    this.#measured = undefined;
  }

  async #measure(): Promise<RelayRoundTrip[]> {
    const { relays } = await this.#client.request("get_relays", {});
    // Each is a connection: a phone has neither memory nor radio for sixty at once.
    const waiting = relays.slice(0, MEASURED);
    const all: RelayRoundTrip[] = [];
    const one = async (): Promise<void> => {
      for (let relay = waiting.shift(); relay; relay = waiting.shift()) {
        const it = await measure(relay);
        if (it) all.push(it);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    return all;
  }
}

async function measure(relay: RelayInfo): Promise<RelayRoundTrip | undefined> {
  const urls = relay.stun[0];
  if (urls === undefined) return undefined;
  const pc = new RTCPeerConnection({ iceServers: [{ urls }] });
  try {
    pc.createDataChannel("");
    const answered = new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), LONGEST);
      pc.onicecandidate = ({ candidate }) => {
        if (candidate?.type === "srflx") resolve(true);
        // Without a NAT the reflexive address is the host's own and not told again: the end of gathering is the answer then.
        if (!candidate) resolve(true);
      };
      pc.onicecandidateerror = () => resolve(false);
    });
    await pc.setLocalDescription();
    const began = performance.now();
    return (await answered) ? { relay: relay.name, ms: Math.round(performance.now() - began) } : undefined;
  } finally {
    pc.close();
  }
}
