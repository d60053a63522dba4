/** The time, each second: for the clock of a call. */
class Now {
  at = $state(Date.now());
  constructor() {
    setInterval(() => (this.at = Date.now()), 1_000);
  }
}

export const now = new Now();
