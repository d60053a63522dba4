// What browsers have and Node has not: a page, Web Locks and IndexedDB, so that the logic of tabs runs here too. The real ones
// are used by the tests in test/browser.

import "fake-indexeddb/auto";

interface Held {
  run(): void;
  taken(): void;
}

/** Exclusive locks, first come first served. */
export class Locks {
  #queues = new Map<string, Held[]>();

  request(name: string, options: { signal?: AbortSignal; steal?: boolean }, held: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      const aborted = (): void => reject(new DOMException("the lock was taken, or the waiting ended", "AbortError"));
      const entry: Held = {
        run: () => {
          held().then(resolve, reject).finally(() => {
            if (queue[0] !== entry) return;
            queue.shift();
            queue[0]?.run();
          });
        },
        taken: aborted,
      };
      options.signal?.addEventListener("abort", () => {
        const at = queue.indexOf(entry);
        if (at > 0) queue.splice(at, 1), aborted();
      });
      if (options.steal) {
        queue.shift()?.taken();
        queue.unshift(entry);
        return queueMicrotask(() => entry.run());
      }
      queue.push(entry);
      if (queue.length === 1) queueMicrotask(() => entry.run());
    });
  }
}

/** Gives this process Web Locks, and a page, without which the SDK looks for no tabs: Node may have locks, too. */
export function installLocks(): void {
  const navigator = Object.create(globalThis.navigator ?? {});
  Object.defineProperty(navigator, "locks", { value: new Locks() });
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  Object.defineProperty(globalThis, "document", { value: new EventTarget(), configurable: true });
}
