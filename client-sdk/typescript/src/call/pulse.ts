// Signs of life of one call: the server is told that it lives and how good it is, and this device listens for itself.

import type { CallCore } from "./core.js";
import { Hearing, bytesIn } from "./hearing.js";
import type { Ask } from "./host.js";
import type { Peer } from "./peer.js";
import { QualityMeter, networkClass, type CallStats } from "./quality.js";

/** How often the server is told that the call lives, and how good it is, in milliseconds. */
const ALIVE = 5_000;
/** How often it is looked whether anything is heard, in milliseconds. */
const LISTEN = 1_000;
/**
 * A call of which nothing is heard for so long is over here, in milliseconds, whatever the server says or does not say: it
 * would have ended it by then.
 */
const DEAF_FOR = 75_000;

/** What the pulse needs from its call. */
export interface Body {
  peer(): Peer | undefined;
  ask(ask: Ask): Promise<void>;
  changed(what: "change" | "stats"): void;
  /** Nothing was heard for too long. */
  lost(): void;
}

export class Pulse {
  deaf = false;
  stats: CallStats | undefined;
  readonly #core: CallCore;
  readonly #body: Body;
  readonly #meter = new QualityMeter();
  readonly #hearing = new Hearing();
  #deafSince: number | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];

  constructor(core: CallCore, body: Body) {
    this.#core = core;
    this.#body = body;
  }

  start(): void {
    this.stop();
    this.#timers = [
      setInterval(() => void this.#alive().catch(() => {}), ALIVE),
      setInterval(() => void this.#listen().catch(() => {}), LISTEN),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }

  /** Another connection: its counters begin anew. */
  reset(): void {
    this.#meter.reset();
    this.#hearing.reset();
  }

  get #stopped(): boolean {
    return this.#timers.length === 0;
  }

  /** Whether anything is heard, by what this device itself can know. */
  async #listen(): Promise<void> {
    const { inCall } = this.#core;
    const pc = this.#body.peer()?.pc;
    if (!inCall || !pc) return;
    const bytes = bytesIn((await pc.getStats()).values());
    if (this.#stopped || pc !== this.#body.peer()?.pc) return;
    const silent = inCall.mine.held || inCall.theirs.held || inCall.theirs.muted;
    const deaf = this.#hearing.take({ bytes, connection: pc.connectionState, silent }, performance.now());
    this.#deafSince = deaf ? (this.#deafSince ?? performance.now()) : undefined;
    if (performance.now() - (this.#deafSince ?? Infinity) > DEAF_FOR) {
      this.#body.ask({ ask: "hang_up" }).catch(() => {});
      return this.#body.lost();
    }
    if (deaf === this.deaf) return;
    this.deaf = deaf;
    this.#body.changed("change");
  }

  async #alive(): Promise<void> {
    const { revision } = this.#core.state;
    const peer = this.#body.peer();
    let report: CallStats | undefined;
    if (peer && this.#core.inCall && peer.pc.connectionState === "connected") {
      report = this.#meter.read([...(await peer.pc.getStats()).values()], peer.servers, networkClass());
      this.stats = report;
      await peer.adapt(report.level);
      this.#body.changed("stats");
    }
    if (this.#stopped) return;
    const { level: _, audioLevel: __, packetsIn: ___, ...wire } = report ?? ({} as CallStats);
    await this.#body.ask({ ask: "alive", revision, ...(report && { report: wire }) });
  }
}
