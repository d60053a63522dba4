// Whether anything arrives from the other side. Pure: it gets the counters and the time.
//
// The server cannot tell a device that its own network is gone, so this does not ask the server.

/** How long nothing may arrive before it is said, in milliseconds. Silence sends packets, too, a few each second. */
export const DEAF_AFTER = 4_000;

/** What is known at one moment. */
export interface Heard {
  /** Bytes of media and its reports that arrived since the connection was made. */
  bytes: number;
  /** The state of the connection. */
  connection: RTCPeerConnectionState;
  /** The other side may be sending nothing: on hold. */
  silent: boolean;
}

export class Hearing {
  #bytes = 0;
  /** When something arrived last; absent until something has. */
  #at: number | undefined;

  /** Another connection: its counters begin anew, the time of silence goes on. */
  reset(): void {
    this.#bytes = 0;
  }

  /** Takes what is known now; says whether nothing has arrived for too long. Before the first sound there is no silence. */
  take({ bytes, connection, silent }: Heard, now: number): boolean {
    const fine = silent && connection !== "disconnected" && connection !== "failed";
    if (bytes !== this.#bytes || (fine && this.#at !== undefined)) this.#at = now;
    this.#bytes = bytes;
    return this.#at !== undefined && now - this.#at >= DEAF_AFTER;
  }
}

/** What arrived over a connection by now. */
export function bytesIn(list: Iterable<unknown>): number {
  let bytes = 0;
  for (const it of list as Iterable<Record<string, unknown>>) {
    if (it.type === "inbound-rtp" && typeof it.bytesReceived === "number") bytes += it.bytesReceived;
  }
  return bytes;
}
