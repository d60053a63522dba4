import { untrack } from 'svelte';
import { keep, load } from '../state/storage';
import { session } from '../state/session.svelte';

/** Goes to a place of a chat; whether it was at hand. */
export type Go = () => Promise<boolean>;

/** How long an empty box may wait for the place where it opens, in milliseconds. */
const SHOW_AFTER = 1_500;
/** How often a place that was not at hand is tried again, in milliseconds. */
const AGAIN = 1_000;

/**
 * Opening a chat at a place that may not be at hand, as without a network: it is gone to when it is, unless the person went
 * on. Until then nothing counts as read, since the person sees something else than what was wanted.
 */
export class Opening {
  #waiting = $state.raw<Go | undefined>();
  readonly #arrived: () => void;

  /** To be made while the component is: it ends with it. */
  constructor(arrived: () => void) {
    this.#arrived = arrived;
    // As soon as there is a network, and as long as the person has not gone elsewhere.
    $effect(() => {
      const go = this.#waiting;
      if (go === undefined || session.connection.state !== 'online') return;
      // One try after the other: a page that takes its time would never be there before the next one is asked for.
      let trying = false;
      const again = (): void => {
        if (trying) return;
        trying = true;
        const going = go();
        const over = (): void => void (trying = false);
        going.then(over, over);
        this.#try(going);
      };
      const timer = setInterval(again, AGAIN);
      // What it looks at on the way is no reason to begin anew.
      untrack(again);
      return () => clearInterval(timer);
    });
  }

  get waiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** Goes there, and does `otherwise` when it is not at hand in a moment. */
  async begin(go: Go | undefined, otherwise: () => void): Promise<void> {
    if (session.away) session.client.hurry();
    // Not waited for longer than a moment: what is at hand is shown, and the place is gone to when it is there.
    const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), session.away ? SHOW_AFTER / 3 : SHOW_AFTER));
    const going = go?.() ?? Promise.resolve(false);
    if (await Promise.race([going, late])) return;
    otherwise();
    if (!go) return;
    this.wait(go);
    this.#try(going);
  }

  wait(go: Go): void {
    this.#waiting = go;
  }

  /** The person went elsewhere. */
  giveUp(): void {
    this.#waiting = undefined;
  }

  #try(going: Promise<boolean>): void {
    const wanted = this.#waiting;
    void going.then((there) => {
      if (!there || this.#waiting !== wanted) return;
      this.giveUp();
      this.#arrived();
    });
  }
}

/** A message, and how far below the upper edge it stood, in pixels. */
export interface Place {
  seq: number;
  top: number;
}

/** Where one was in a chat when one left it; nothing for the end. */
export function placeKept(chatId: number): Place | undefined {
  const [seq, top] = (load(`place.${chatId}`) ?? '').split(' ').map(Number);
  return seq !== undefined && top !== undefined && seq > 0 && Number.isFinite(top) ? { seq, top } : undefined;
}

export function keepPlace(chatId: number, place: Place | undefined): void {
  keep(`place.${chatId}`, place ? `${place.seq} ${Math.round(place.top)}` : '');
}
