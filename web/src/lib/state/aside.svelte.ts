import { keep, load } from './storage';

/** From here on there is room for what is told about a chat beside it. */
const WIDE = '(min-width: 1200px)';

/** The pane beside a chat on wide screens: open or not is the person's choice, for all chats alike. */
class Aside {
  wide = $state(false);
  #open = $state(false);

  constructor() {
    const wide = matchMedia(WIDE);
    this.wide = wide.matches;
    wide.addEventListener('change', (event) => (this.wide = event.matches));
    this.#open = load('aside') === 'true';
  }

  get shown(): boolean {
    return this.wide && this.#open;
  }

  set(open: boolean): void {
    this.#open = open;
    keep('aside', String(open));
  }
}

export const aside = new Aside();
