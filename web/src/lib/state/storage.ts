/** Small things of this device, before anybody has signed in. A private window may refuse: then they live in memory. */
const memory = new Map<string, string>();
const PREFIX = 'chapar.';

export function load(key: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + key) ?? memory.get(key);
  } catch {
    return memory.get(key);
  }
}

export function keep(key: string, value: string): void {
  memory.set(key, value);
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Full or blocked: it lasts until the page is closed.
  }
}
