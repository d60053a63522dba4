import { canSound } from './ring';

/** How long a tab that is hidden, or that the browser keeps silent, lets the others go first, in milliseconds. */
const HIDDEN = 150;
const MUTE = 400;

/**
 * Does something in one tab of the browser only: in one that the person looks at and that may sound, if there is one. When that
 * tab goes the next one takes its place. Returns what ends it. Where the browser has no locks each tab is alone.
 */
export function onlyHere(name: string, begin: () => () => void): () => void {
  let end: (() => void) | undefined;
  let over = false;
  const waiting = new AbortController();
  const go = (): Promise<void> => {
    if (over) return Promise.resolve();
    const stop = begin();
    return new Promise((resolve) => {
      end = () => {
        stop();
        resolve();
      };
    });
  };
  const { locks } = navigator as { locks?: LockManager };
  const patience = (document.visibilityState === 'visible' ? 0 : HIDDEN) + (canSound() ? 0 : MUTE);
  const timer = setTimeout(() => {
    if (!locks) return void go();
    locks.request(name, { signal: waiting.signal }, go).catch((error: unknown) => {
      // A browser that blocks storage refuses locks, too.
      if ((error as { name?: string }).name !== 'AbortError') void go();
    });
  }, patience);
  return () => {
    over = true;
    clearTimeout(timer);
    waiting.abort();
    end?.();
  };
}
