/** The languages that the app speaks. Adding one is adding a catalogue and a line here. */
export const LANGUAGES = ['fa', 'en', 'ar'] as const;

export type Language = (typeof LANGUAGES)[number];

/** What a language decides: direction, locale of digits and dates, calendar, first day of the week (0 is Sunday). */
export interface Region {
  readonly locale: string;
  readonly dir: 'rtl' | 'ltr';
  readonly calendar: 'persian' | 'gregory';
  readonly weekStart: number;
  /** Days without work, for the calendar. */
  readonly weekend: readonly number[];
}

export const REGIONS: Record<Language, Region> = {
  fa: { locale: 'fa-IR-u-ca-persian-nu-arabext', dir: 'rtl', calendar: 'persian', weekStart: 6, weekend: [5] },
  en: { locale: 'en-GB-u-ca-gregory-nu-latn', dir: 'ltr', calendar: 'gregory', weekStart: 1, weekend: [0, 6] },
  ar: { locale: 'ar-IQ-u-ca-gregory-nu-arab', dir: 'rtl', calendar: 'gregory', weekStart: 6, weekend: [5, 6] },
};

/** Writes numbers short where they are long: ۱۲ هزار, 12K. */
export function shortNumbers(language: Language): (value: number) => string {
  const format = new Intl.NumberFormat(REGIONS[language].locale, { notation: 'compact', maximumFractionDigits: 1 });
  return (value) => format.format(value);
}

/** Writes whole numbers with the language's digits. */
export function numbers(language: Language): (value: number) => string {
  const format = new Intl.NumberFormat(REGIONS[language].locale, { maximumFractionDigits: 0 });
  return (value) => format.format(value);
}
