import { onPop, settled } from './layers';

/** Where one can be. The address stands behind the `#`, so that any plain file server will do. */
export type Route =
  | { at: 'list' }
  | { at: 'chat'; chatId: number; seq?: number }
  | { at: 'settings' }
  | { at: 'calls' };

/** Reads `#/chat/12`, `#/chat/12/345`, `#/settings`, `#/calls`; anything else is the list. */
export function parseRoute(hash: string): Route {
  const chat = /^#\/chat\/([1-9]\d{0,15})(?:\/([1-9]\d{0,15}))?$/.exec(hash);
  if (chat) {
    const route: Route = { at: 'chat', chatId: Number(chat[1]) };
    return chat[2] === undefined ? route : { ...route, seq: Number(chat[2]) };
  }
  if (hash === '#/settings') return { at: 'settings' };
  if (hash === '#/calls') return { at: 'calls' };
  return { at: 'list' };
}

export function hashOf(route: Route): string {
  switch (route.at) {
    case 'list':
      return '#/';
    case 'chat':
      return route.seq === undefined ? `#/chat/${route.chatId}` : `#/chat/${route.chatId}/${route.seq}`;
    default:
      return `#/${route.at}`;
  }
}

class Router {
  route = $state.raw<Route>({ at: 'list' });

  start(): void {
    this.route = parseRoute(location.hash);
    // A chat opened by its address has the list behind it, so that Back leads there.
    if (this.route.at !== 'list' && history.length <= 1) {
      const here = location.hash;
      history.replaceState(null, '', '#/');
      history.pushState(null, '', here);
    }
    addEventListener('popstate', (event) => {
      onPop(event.state);
      this.route = parseRoute(location.hash);
    });
  }

  /** Goes somewhere. From one place to its neighbour the entry is replaced: Back leads to the list in one step. */
  async go(route: Route): Promise<void> {
    await settled();
    const hash = hashOf(route);
    if (hash === location.hash || (route.at === 'list' && location.hash === '')) {
      this.route = route;
      return;
    }
    if (route.at === 'list') {
      // The list is at the bottom of the history already.
      if (history.length > 1 && history.state?.inner === true) {
        history.back();
        return;
      }
      history.replaceState(null, '', hash);
    } else if (this.route.at === 'list') {
      history.pushState({ inner: true }, '', hash);
    } else {
      history.replaceState(history.state, '', hash);
    }
    this.route = route;
  }
}

export const router = new Router();
