import type { CallEngine } from './engine.svelte';
import { sentence, t, withWords } from '../i18n/index.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';
import { takeMark } from './mark';

/**
 * What the rest of the app knows of calls. Everything else (WebRTC, the ring, the screens) is loaded with the first call or
 * when the page has come to rest, so that an incoming call need not wait for it.
 */
class Calls {
  engine = $state.raw<CallEngine | undefined>();
  missed = $state(0);
  #loading: Promise<CallEngine> | undefined;

  /** Loads the calls when the browser has nothing better to do. */
  prepare(): void {
    const idle = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 1_500));
    const left = takeMark();
    if (left) void this.load().then((engine) => engine.find(left), () => {});
    else idle(() => void this.load().catch(() => {}));
    const count = (): void => {
      this.missed = session.client.missedCalls;
    };
    session.client.on('missed_calls', count);
    session.client.on('reset', count);
    count();
  }

  load(): Promise<CallEngine> {
    this.#loading ??= withWords(() => import('./engine.svelte')).then(({ CallEngine }) => {
      this.engine = new CallEngine();
      return this.engine;
    });
    this.#loading.catch(() => (this.#loading = undefined));
    return this.#loading;
  }

  async start(userId: number, media: 'voice' | 'video'): Promise<void> {
    try {
      const engine = await this.load();
      if (engine.call) notices.tell(t().call.full);
      else await engine.start(userId, media);
    } catch (error) {
      notices.tell(sentence(error));
    }
  }
}

export const calls = new Calls();
