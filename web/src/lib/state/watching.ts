/** People whose presence is watched at most. */
const WATCHED = 200;

/**
 * Whose presence is watched. The server leaves out who has not answered yet, so it is asked again when one of them first
 * writes.
 */
export class Watching {
  readonly #ask: (userIds: number[]) => Promise<unknown>;
  #people: number[] = [];
  #asked: ReadonlySet<number> | undefined;
  /** Those for whom it was asked again: no presence came, so each message of theirs would ask. */
  #again = new Set<number>();

  constructor(ask: (userIds: number[]) => Promise<unknown>) {
    this.#ask = ask;
  }

  /** The connection is gone: the next one watches nobody yet. */
  lost(): void {
    this.#asked = undefined;
    this.#people = [];
    this.#again.clear();
  }

  /** Watches these people, if it does not yet. */
  set(people: readonly number[]): void {
    this.#people = [...new Set(people)].slice(0, WATCHED);
    const before = this.#asked;
    if (before?.size === this.#people.length && this.#people.every((id) => before.has(id))) return;
    const asked = (this.#asked = new Set(this.#people));
    this.#ask(this.#people).catch(() => {
      if (this.#asked === asked) this.#asked = undefined;
    });
  }

  /** Somebody of whom no presence is known wrote in the direct chat. */
  answered(userId: number): void {
    if (!this.#people.includes(userId) || this.#again.has(userId)) return;
    this.#again.add(userId);
    this.#asked = undefined;
    this.set(this.#people);
  }
}
