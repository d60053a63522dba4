// The words on the screen, from the app's own catalogues: what is looked for is what a person reads.
import ar from '../../src/lib/i18n/ar';
import en from '../../src/lib/i18n/en';
import fa from '../../src/lib/i18n/fa';
import { numbers } from '../../src/lib/i18n/numbers';

export type Language = 'fa' | 'en' | 'ar';
export const WORDS = { fa, en, ar } as const;
export const number = { fa: numbers('fa'), en: numbers('en'), ar: numbers('ar') } as const;
/** The line that a call leaves in the chat, with any duration. */
export const lasted = new RegExp(`^${fa.service.callLasted('')}\\S`);
