import { createSubscriber } from 'svelte/reactivity';

/** The time, each second, for the clock of a call; it stands still while nobody reads it. */
class Now {
  readonly #follow = createSubscriber((changed) => {
    const timer = setInterval(changed, 1_000);
    return () => clearInterval(timer);
  });

  get at(): number {
    this.#follow();
    return Date.now();
  }
}

export const now = new Now();
