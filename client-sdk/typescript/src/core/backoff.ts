/** Draws an even random whole number from 0 to below a bound that is at least 1. */
export type Dice = (bound: number) => number;

/** Bound of the first wait, in milliseconds. */
const FIRST = 1_000;
/** Bound of the longest wait, in milliseconds. */
const LONGEST = 30_000;

/**
 * Exponential back-off with full jitter: each wait is drawn evenly from zero to a bound that doubles from 1 s to 30 s.
 * A whole city that lost the same server so comes back spread out, not in waves.
 */
export class Backoff {
  #tries = 0;

  /** Draws the next wait, in milliseconds. */
  next(dice: Dice): number {
    const bound = Math.min(FIRST * 2 ** Math.min(this.#tries, 5), LONGEST);
    this.#tries += 1;
    return dice(bound + 1);
  }

  /** Begins anew after a success. */
  reset(): void {
    this.#tries = 0;
  }
}
