import { tick } from 'svelte';
import { onPop, settled } from './layers';
import { hashOf, parseRoute, type Route } from './routes';

export type { Route };

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
    // A dialog that was closed in the same breath gives back its place in the history first.
    await tick();
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
