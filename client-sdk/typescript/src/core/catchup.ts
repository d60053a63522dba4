import type { ChatDelta, Version } from "../protocol.js";
import { Backoff } from "./backoff.js";

/**
 * Deltas kept back for one chat. Beyond that they are dropped; the version that they named is not forgotten, so the
 * difference brings them (R4).
 */
const KEPT_DELTAS = 64;
/** Rows in the deltas kept back for one chat. */
const KEPT_ROWS = 2_000;

const rows = (delta: ChatDelta): number =>
  (delta.messages?.length ?? 0) + (delta.members?.length ?? 0) + (delta.reacted?.length ?? 0);

/** One chat on its way to a version that it has not reached. */
export class Catchup {
  #kept: ChatDelta[] = [];
  /** The newest version that a delta named. */
  #named: Version = 0;
  /** Whether there is something newer than what is known, without a name for it: `behind`, `more`, an unknown chat. */
  wished = false;
  /** Whether a request for it is under way. */
  asked = false;
  /** Whether it stands in the queue to be asked. */
  queued = false;
  /** Not to be asked before. */
  notBefore: number | undefined;
  readonly backoff = new Backoff();

  /** Keeps a delta for later if there is room. */
  keep(delta: ChatDelta): void {
    this.#named = Math.max(this.#named, delta.version);
    const held = this.#kept.reduce((sum, it) => sum + rows(it), 0);
    if (this.#kept.length < KEPT_DELTAS && held + rows(delta) <= KEPT_ROWS) this.#kept.push(delta);
  }

  /** Takes a kept delta that goes on from a version, having dropped those that are known by then. */
  take(mine: Version): ChatDelta | undefined {
    this.#kept = this.#kept.filter((delta) => delta.version > mine);
    const index = this.#kept.findIndex((delta) => delta.from <= mine);
    return index < 0 ? undefined : this.#kept.splice(index, 1)[0];
  }

  /** Whether something newer than `mine` is known to exist. */
  behind(mine: Version): boolean {
    return this.wished || this.#named > mine;
  }
}
