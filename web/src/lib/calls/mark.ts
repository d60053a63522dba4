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
    return Date.now() - left.at < FRESH ? left : undefined;
  } catch {
    return undefined;
  }
}
