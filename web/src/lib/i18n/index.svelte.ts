import { part } from '../state/part';
import { prefs } from '../state/prefs.svelte';
import { Dates } from '../time/format';
import fa from './fa';
import type lateFa from './late/fa';
import type { Language } from './numbers';
import { numbers, REGIONS, shortNumbers } from './numbers';

export type Catalogue = typeof fa;
type Late = typeof lateFa;

/** Persian is in the first load; the others come when they are chosen. */
const LOADERS: Record<Language, () => Promise<Catalogue>> = {
  fa: () => Promise.resolve(fa),
  en: async () => (await import('./en')).default,
  ar: async () => (await import('./ar')).default,
};
/** What only those parts say that are loaded when they are wanted. */
const LATE: Record<Language, () => Promise<Late>> = {
  fa: async () => (await import('./late/fa')).default,
  en: async () => (await import('./late/en')).default,
  ar: async () => (await import('./late/ar')).default,
};

interface Speech {
  language: Language;
  t: Catalogue;
  late: Late | undefined;
  dates: Dates;
  number: (value: number) => string;
  compact: (value: number) => string;
}

const speechOf = (language: Language, t: Catalogue, late?: Late): Speech => ({
  language,
  t,
  late,
  dates: new Dates(language, t),
  number: numbers(language),
  compact: shortNumbers(language),
});

let speech = $state.raw<Speech>(speechOf('fa', fa));
/** Whether any part has wanted the late words: then they come along with a change of the language. */
let lateWanted = false;

/** The words of the chosen language. */
export const t = (): Catalogue => speech.t;

/** The words of parts that are loaded when they are wanted, which `withWords` has brought along. */
export function late(): Late {
  if (!speech.late) throw new Error('a part of the app that does not come `withWords`');
  return speech.late;
}

/** Loads a part of the app, and the words that it says; again where a bad network fails for a moment. */
export async function withWords<T>(load: () => Promise<T>): Promise<T> {
  lateWanted = true;
  const [loaded] = await Promise.all([part(load), lateWords()]);
  return loaded;
}

async function lateWords(): Promise<void> {
  while (!speech.late) {
    const { language } = speech;
    const words = await part(LATE[language]);
    // Chosen another one meanwhile: that one brings its own, or is asked for in the next turn.
    if (speech.language === language) speech = { ...speech, late: words };
  }
}
export const dates = (): Dates => speech.dates;
export const number = (value: number): string => speech.number(value);
export const compact = (value: number): string => speech.compact(value);
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
  const [words, lateWords] = await Promise.all([part(LOADERS[wanted]), lateWanted ? part(LATE[wanted]) : undefined]);
  // Chosen twice, quickly: the last choice counts, whichever comes first.
  if (asked !== lastAsked) return;
  speech = speechOf(wanted, words, lateWords);
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
