import { onReplacing } from './replacing';

/** The service worker as the page sees it: whether a new version waits, and how to change over to it. */
class Updates {
  waiting = $state.raw<ServiceWorker | undefined>();
  /** Another tab changed over, or a file of this version is gone: the page works on, but is to be loaded anew. */
  stale = $state(false);
  #reloading = false;

  get offered(): boolean {
    return this.waiting !== undefined || this.stale;
  }

  later(): void {
    this.waiting = undefined;
    this.stale = false;
  }

  async register(): Promise<void> {
    addEventListener('vite:preloadError', () => (this.stale = true));
    if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return;
    try {
      const registration = await navigator.serviceWorker.register('/sw.js');
      onReplacing(registration, (waiting) => (this.waiting = waiting));
      // A page that stays open for days hears of a new version too.
      document.addEventListener('visibilitychange', () => {
        if (document.visibilityState === 'visible') void registration.update().catch(() => {});
      });
      let controlled = navigator.serviceWorker.controller !== null;
      navigator.serviceWorker.addEventListener('controllerchange', () => {
        if (this.#reloading) location.reload();
        else if (controlled) this.stale = true;
        controlled = true;
      });
    } catch {
      // Blocked, as in some private windows: the app works without, but does not open offline.
    }
  }

  apply(): void {
    this.#reloading = true;
    if (this.waiting) this.waiting.postMessage('activate');
    else location.reload();
    this.later();
  }
}

export const updates = new Updates();
export const registerWorker = (): void => void updates.register();
