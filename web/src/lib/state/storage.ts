/** Small things of this device, before anybody has signed in. A private window may refuse: then they live in memory. */
const memory = new Map<string, string>();
/** With what the keys begin, as the event `storage` names them. */
export const PREFIX = 'chapar.';

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

/** The keys that begin so. */
export function keys(beginning: string): string[] {
  try {
    const kept = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX + beginning));
    return [...new Set([...kept.map((key) => key.slice(PREFIX.length)), ...memory.keys()])].filter((key) => key.startsWith(beginning));
  } catch {
    return [...memory.keys()].filter((key) => key.startsWith(beginning));
  }
}

/** Forgets a key. */
export function drop(key: string): void {
  memory.delete(key);
  try {
    localStorage.removeItem(PREFIX + key);
  } catch {
    // Blocked: there is nothing.
  }
}

/** Forgets everything whose key begins so: what belongs to a person goes when they sign out. */
export function forget(beginning: string): void {
  for (const key of keys(beginning)) drop(key);
}
