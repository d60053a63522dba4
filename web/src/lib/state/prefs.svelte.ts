import { LANGUAGES, REGIONS, type Language } from '../i18n/numbers';
import { keep, load } from './storage';

export const THEMES = ['system', 'light', 'dark'] as const;
export const TEXT_SIZES = ['small', 'normal', 'large', 'huge'] as const;
export const ENTERS = ['device', 'send', 'line'] as const;
export type Enter = (typeof ENTERS)[number];
export type Theme = (typeof THEMES)[number];
export type TextSize = (typeof TEXT_SIZES)[number];

const one = <T extends string>(options: readonly T[], value: string | undefined, otherwise: T): T =>
  options.find((option) => option === value) ?? otherwise;

/** The language of a new visitor: Persian, unless the browser asks for another that there is and not for Persian. */
export function firstLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const language = LANGUAGES.find((known) => known === tag.toLowerCase().split('-')[0]);
    if (language) return language;
  }
  return 'fa';
}

/** What a person chose on this device. */
class Preferences {
  language = $state<Language>('fa');
  theme = $state<Theme>('system');
  textSize = $state<TextSize>('normal');
  relayOnly = $state(false);
  askRating = $state(true);
  notify = $state(false);
  /** Whether the server is asked what stands behind a link that one writes. */
  linkPreviews = $state(true);
  /** What Enter does in the composer; without a choice it goes by what the device has. */
  enter = $state<Enter>('device');
  #finePointer = $state(false);
  #systemDark = $state(false);

  constructor() {
    this.language = one(LANGUAGES, load('language'), firstLanguage(navigator.languages ?? []));
    this.theme = one(THEMES, load('theme'), 'system');
    this.textSize = one(TEXT_SIZES, load('text-size'), 'normal');
    this.relayOnly = load('relay-only') === 'true';
    this.askRating = load('ask-rating') !== 'false';
    this.notify = load('notify') === 'true';
    this.linkPreviews = load('link-previews') !== 'false';
    this.enter = one(ENTERS, load('enter'), 'device');
    // A mouse may be plugged in later, and a keyboard with it.
    const fine = matchMedia('(any-pointer: fine)');
    this.#finePointer = fine.matches;
    fine.addEventListener('change', (event) => (this.#finePointer = event.matches));
    const dark = matchMedia('(prefers-color-scheme: dark)');
    this.#systemDark = dark.matches;
    dark.addEventListener('change', (event) => {
      this.#systemDark = event.matches;
      this.apply();
    });
    // Another tab may have changed them.
    addEventListener('storage', (event) => {
      if (event.key === 'chapar.theme') this.theme = one(THEMES, event.newValue ?? undefined, this.theme);
      if (event.key === 'chapar.text-size') this.textSize = one(TEXT_SIZES, event.newValue ?? undefined, this.textSize);
      // A promise about one's address holds in all tabs at once. The language follows with its words: see `i18n`.
      if (event.key === 'chapar.relay-only') this.relayOnly = event.newValue === 'true';
      if (event.key === 'chapar.ask-rating') this.askRating = event.newValue !== 'false';
      if (event.key === 'chapar.link-previews') this.linkPreviews = event.newValue !== 'false';
      if (event.key === 'chapar.enter') this.enter = one(ENTERS, event.newValue ?? undefined, this.enter);
      if (event.key === 'chapar.notify') this.notify = event.newValue === 'true';
      this.apply();
    });
  }

  get dark(): boolean {
    return this.theme === 'dark' || (this.theme === 'system' && this.#systemDark);
  }

  get enterSends(): boolean {
    return this.enter === 'send' || (this.enter === 'device' && this.#finePointer);
  }

  setEnter(enter: Enter): void {
    this.enter = enter;
    keep('enter', enter);
  }

  setLanguage(language: Language): void {
    this.language = language;
    keep('language', language);
    this.apply();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep('theme', theme);
    this.apply();
  }

  setTextSize(size: TextSize): void {
    this.textSize = size;
    keep('text-size', size);
    this.apply();
  }

  setFlag(flag: 'relayOnly' | 'askRating' | 'notify' | 'linkPreviews', value: boolean): void {
    this[flag] = value;
    keep({ relayOnly: 'relay-only', askRating: 'ask-rating', notify: 'notify', linkPreviews: 'link-previews' }[flag], String(value));
  }

  /** Puts the choices onto the document, where the style sheets read them. */
  apply(): void {
    const root = document.documentElement;
    root.lang = this.language;
    root.dir = REGIONS[this.language].dir;
    root.dataset['theme'] = this.dark ? 'dark' : 'light';
    root.dataset['text'] = this.textSize;
    const colour = this.dark ? '#11191b' : '#f6f1e6';
    for (const meta of document.querySelectorAll('meta[name=theme-color]')) meta.setAttribute('content', colour);
  }
}

export const prefs = new Preferences();
