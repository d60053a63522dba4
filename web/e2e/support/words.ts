// The words on the screen, from the app's own catalogues: what is looked for is what a person reads.
import earlyAr from '../../src/lib/i18n/ar';
import earlyEn from '../../src/lib/i18n/en';
import earlyFa from '../../src/lib/i18n/fa';
import lateAr from '../../src/lib/i18n/late/ar';
import lateEn from '../../src/lib/i18n/late/en';
import lateFa from '../../src/lib/i18n/late/fa';
import { numbers } from '../../src/lib/i18n/numbers';

export type Language = 'fa' | 'en' | 'ar';

/** A screen says words of the first load and of later ones alike, also of one area. */
function whole<A extends object, B extends object>(early: A, late: B): A & B {
  const all = new Map<string, object | string>(Object.entries(early));
  for (const [area, words] of Object.entries(late)) all.set(area, { ...(all.get(area) as object | undefined), ...words });
  return Object.fromEntries(all) as A & B;
}

const fa = whole(earlyFa, lateFa);
export const WORDS = { fa, en: whole(earlyEn, lateEn), ar: whole(earlyAr, lateAr) } as const;
export const number = { fa: numbers('fa'), en: numbers('en'), ar: numbers('ar') } as const;
/** The line that a call leaves in the chat, with any duration. */
export const lasted = new RegExp(`^${fa.service.callLasted('')}\\S`);
