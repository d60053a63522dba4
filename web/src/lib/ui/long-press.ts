import { menu } from './menu.svelte';

/** How long a finger lies on something until its menu opens, in milliseconds. */
const LONG = 450;

/**
 * Opens a menu by the right button or the menu key, and by a finger that stays: some browsers tell of that as the first, some by the touch
 * alone, some by both.
 */
export function longPress(open: (at: MouseEvent | HTMLElement) => void): (element: HTMLElement) => () => void {
  return (element) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let opened = false;
    const show = (at: MouseEvent | HTMLElement): void => {
      clearTimeout(timer);
      opened = true;
      if (!menu.open) open(at);
    };
    const start = (): void => {
      opened = false;
      clearTimeout(timer);
      timer = setTimeout(() => show(element), LONG);
    };
    const move = (): void => clearTimeout(timer);
    const end = (event: TouchEvent): void => {
      clearTimeout(timer);
      // The finger goes up over the menu by now: that is no click on what lies below.
      if (opened && event.cancelable) event.preventDefault();
    };
    const context = (event: MouseEvent): void => {
      event.preventDefault();
      show(event);
    };
    element.addEventListener('touchstart', start, { passive: true });
    element.addEventListener('touchmove', move, { passive: true });
    element.addEventListener('touchend', end);
    element.addEventListener('touchcancel', move);
    element.addEventListener('contextmenu', context);
    return () => {
      clearTimeout(timer);
      element.removeEventListener('touchstart', start);
      element.removeEventListener('touchmove', move);
      element.removeEventListener('touchend', end);
      element.removeEventListener('touchcancel', move);
      element.removeEventListener('contextmenu', context);
    };
  };
}
