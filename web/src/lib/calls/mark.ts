/** A call that this tab was in when its page was loaded anew. */
export interface Left {
  id: string;
  peer: number;
  /** When sound first flowed, for the clock. */
  since?: number;
}

export const KEY = 'chapar.call';
/** A page that took longer than this to come back has no call any more. */
const FRESH = 60_000;

/** The mark that the page before has left in this tab, once. */
export function takeMark(): Left | undefined {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    if (text === null) return undefined;
    const left = JSON.parse(text) as Left & { at: number };
    if (Date.now() - left.at >= FRESH) return undefined;
    // The worker need not hang up. A page that was loaded past its cache has no controller: the worker is found all the same.
    void navigator.serviceWorker?.ready.then((it) => it.active?.postMessage({ back: left.id })).catch(() => {});
    return left;
  } catch {
    return undefined;
  }
}
