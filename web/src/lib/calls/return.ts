import type { Call } from '@chapar/client/call';
import { KEY, type Left } from './mark';

/** Where the page is going, as far as the browser says; `undefined` where it does not say. */
let going: string | undefined;
const navigation = (globalThis as { navigation?: EventTarget }).navigation;
navigation?.addEventListener('navigate', (event) => (going = (event as Event & { navigationType: string }).navigationType));

/**
 * The page goes. Keeps a mark for this tab, and says whether the call may be left as it is: when the page is only loaded
 * anew, or might be. One that is closed for good hangs up, so that nobody waits for it.
 */
export function leaveMark(call: Call, since: number | undefined): boolean {
  if (navigation && going !== 'reload') return false;
  try {
    const left: Left & { at: number } = { id: call.id, peer: call.peer, at: Date.now(), ...(since !== undefined && { since }) };
    sessionStorage.setItem(KEY, JSON.stringify(left));
    return true;
  } catch {
    return false;
  }
}
