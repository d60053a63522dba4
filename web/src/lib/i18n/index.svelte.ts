import { part } from '../state/part';
import { prefs } from '../state/prefs.svelte';
import { Dates } from '../time/format';
import fa from './fa';
import type { Language } from './numbers';
import { numbers, REGIONS } from './numbers';

export type Catalogue = typeof fa;

/** Persian is in the first load; the others come when they are chosen. */
const LOADERS: Record<Language, () => Promise<Catalogue>> = {
  fa: () => Promise.resolve(fa),
  en: async () => (await import('./en')).default,
  ar: async () => (await import('./ar')).default,
};

interface Speech {
  language: Language;
  t: Catalogue;
  dates: Dates;
  number: (value: number) => string;
}

const speechOf = (language: Language, t: Catalogue): Speech => ({
  language,
  t,
  dates: new Dates(language, t),
  number: numbers(language),
});

let speech = $state.raw<Speech>(speechOf('fa', fa));

/** The words of the chosen language. */
export const t = (): Catalogue => speech.t;
export const dates = (): Dates => speech.dates;
export const number = (value: number): string => speech.number(value);
export const language = (): Language => speech.language;
export const direction = (): 'rtl' | 'ltr' => REGIONS[speech.language].dir;

let lastAsked = 0;

// Another tab may have changed it.
globalThis.addEventListener?.('storage', ({ key, newValue }) => {
  if (key === 'chapar.language' && newValue !== null && newValue in LOADERS) void speak(newValue as Language).catch(() => {});
});

/** Changes the language; the words are there before anything is shown in it. */
export async function speak(wanted: Language): Promise<void> {
  const asked = ++lastAsked;
  const words = await part(LOADERS[wanted]);
  // Chosen twice, quickly: the last choice counts, whichever comes first.
  if (asked !== lastAsked) return;
  speech = speechOf(wanted, words);
  prefs.setLanguage(wanted);
  document.title = speech.t.app;
}

/** Words that do not come leave no white page: Persian is here, and the chosen ones are tried again when there is a network. */
export async function speakOrFallBack(wanted: Language): Promise<void> {
  try {
    await speak(wanted);
  } catch {
    document.documentElement.lang = 'fa';
    document.documentElement.dir = 'rtl';
    addEventListener('online', () => void speak(wanted).catch(() => {}), { once: true });
  }
}

/** From here on a wait is named, in milliseconds. */
const A_WHILE = 90_000;

/** The sentence for an error, by its code. */
export function sentence(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unexpected';
  const wait = error instanceof Error && 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : 0;
  // A budget of hours is no haste: it is said when it is full again.
  if (code === 'rate_limited' && wait > A_WHILE) return speech.t.common.limitUntil(speech.dates.moment(new Date(Date.now() + wait)));
  const errors: Record<string, string> = speech.t.errors;
  const known = errors[code] ?? errors[ALIKE[code] ?? ''];
  if (known !== undefined) return known;
  // For whoever looks into it: no sentence tells more than the error itself.
  console.warn(error);
  return speech.t.errors.unexpected;
}

const ALIKE: Record<string, string> = {
  unreachable: 'offline',
  outbox_full: 'rate_limited',
  invalid_token: 'unavailable',
  internal: 'unavailable',
  call_not_found: 'call_ended',
  no_call: 'call_ended',
  call_elsewhere: 'call_engaged',
  call_conflict: 'call_ended',
};
