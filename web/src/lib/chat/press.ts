import { menu } from '../ui/menu.svelte';
import type { Shown } from './items';

/** How long a finger lies on a message until its menu opens, in milliseconds. */
const LONG = 450;

const bubbleIn = (row: HTMLElement): HTMLElement | undefined => row.querySelector<HTMLElement>('.bubble') ?? undefined;

/** What opens the menu of a message: the right button, or a long press where there is none. */
export class Press {
  readonly #open: (at: MouseEvent | HTMLElement, shown: Shown, lift?: HTMLElement) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(open: (at: MouseEvent | HTMLElement, shown: Shown, lift?: HTMLElement) => void) {
    this.#open = open;
  }

  start(event: TouchEvent, shown: Shown): void {
    const element = event.currentTarget as HTMLElement;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(element, shown, bubbleIn(element)), LONG);
  }

  readonly move = (): void => clearTimeout(this.#timer);

  readonly end = (event: TouchEvent): void => {
    clearTimeout(this.#timer);
    // The finger goes up over the menu by now: that is no click on it.
    if (menu.open && event.cancelable) event.preventDefault();
  };

  contextMenu(event: MouseEvent, shown: Shown): void {
    const finger = matchMedia('(pointer: coarse)').matches;
    if (!finger && (String(getSelection()) !== '' || (event.target as HTMLElement).closest('a'))) return;
    event.preventDefault();
    clearTimeout(this.#timer);
    // Some browsers tell of a long press in this way, some by the touch alone, some by both.
    if (!menu.open) this.#open(event, shown, finger ? bubbleIn(event.currentTarget as HTMLElement) : undefined);
  }
}
