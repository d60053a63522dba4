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

/** Forgets everything whose key begins so: what belongs to a person goes when they sign out. */
export function forget(beginning: string): void {
  for (const key of [...memory.keys()]) if (key.startsWith(beginning)) memory.delete(key);
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX + beginning)) localStorage.removeItem(key);
  } catch {
    // Blocked: there is nothing.
  }
}
