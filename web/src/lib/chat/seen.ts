/**
 * How far a chat was really looked at. A read mark says of everything before it that it was seen; so it may only go on
 * from message to message, as a person's eyes do. A place that was reached otherwise (a page that opens at the end since
 * the first unread one is not at hand, a jump, a burst that scrolls by) marks nothing.
 */
export class Seen {
  #to: number;
  /** Whether what is on the screen hangs together with what was seen. */
  #joined = false;

  constructor(readSeq: number) {
    this.#to = readSeq;
  }

  /** The last message that was seen with all before it. */
  get to(): number {
    return this.#to;
  }

  /** Another device has read so far, or the person wanted to pass over what is before it. */
  known(seq: number): void {
    if (seq > this.#to) this.#to = seq;
  }

  /** The page put another place onto the screen, by itself. */
  moved(): void {
    this.#joined = false;
  }

  /** These stand on the screen, and somebody looks. Says whether there is nothing unseen before them. */
  look(first: number, last: number): boolean {
    if (first <= this.#to + 1) this.#joined = true;
    if (this.#joined && last > this.#to) this.#to = last;
    return this.#joined;
  }
}
