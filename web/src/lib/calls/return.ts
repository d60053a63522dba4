import type { Call } from '@chapar/client/call';
import { session } from '../state/session.svelte';
import { KEY, type Left } from './mark';

/**
 * The page goes while it is in a call. Whether it is loaded anew or closed for good, no browser tells it: so it leaves a
 * mark for this tab, and the service worker hangs up when no page has come back soon. Without a worker the server does,
 * when it has missed the device for long enough. Says whether the call is left as it is.
 */
export function leaveMark(call: Call, since: number | undefined): boolean {
  try {
    const left: Left & { at: number } = { id: call.id, peer: call.peer, at: Date.now(), ...(since !== undefined && { since }) };
    sessionStorage.setItem(KEY, JSON.stringify(left));
    navigator.serviceWorker?.controller?.postMessage({ leaves: call.id, token: session.client.token });
    return true;
  } catch {
    return false;
  }
}
