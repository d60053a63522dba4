import { jalaaliMonthLength, toGregorian, toJalaali } from 'jalaali-js';
import { REGIONS, type Language } from '../i18n/numbers';

/** A day of a calendar; `month` counts from 1. */
export interface Day {
  year: number;
  month: number;
  day: number;
}

/** The arithmetic of a calendar. Names and digits come from Intl. */
export interface Calendar {
  fromDate(date: Date): Day;
  toDate(day: Day): Date;
  monthLength(year: number, month: number): number;
}

const persian: Calendar = {
  fromDate(date) {
    const { jy, jm, jd } = toJalaali(date.getFullYear(), date.getMonth() + 1, date.getDate());
    return { year: jy, month: jm, day: jd };
  },
  toDate({ year, month, day }) {
    const { gy, gm, gd } = toGregorian(year, month, day);
    return new Date(gy, gm - 1, gd);
  },
  monthLength: jalaaliMonthLength,
};

const gregory: Calendar = {
  fromDate: (date) => ({ year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate() }),
  toDate: ({ year, month, day }) => new Date(year, month - 1, day),
  monthLength: (year, month) => new Date(year, month, 0).getDate(),
};

export function calendarOf(language: Language): Calendar {
  return REGIONS[language].calendar === 'persian' ? persian : gregory;
}

/** The month that is `by` months away from that of `day`; the day becomes the first. */
export function shiftMonth({ year, month }: Day, by: number): Day {
  const index = year * 12 + (month - 1) + by;
  return { year: Math.floor(index / 12), month: (((index % 12) + 12) % 12) + 1, day: 1 };
}

/** The last day of a month. */
export const lastDay = (language: Language, { year, month }: Day): number => calendarOf(language).monthLength(year, month);

/**
 * The days of a month in rows of seven, from the language's first day of the week; `undefined` where the row belongs to
 * another month.
 */
export function monthGrid(language: Language, { year, month }: Day): (Date | undefined)[][] {
  const calendar = calendarOf(language);
  const { weekStart } = REGIONS[language];
  const first = calendar.toDate({ year, month, day: 1 });
  const lead = (first.getDay() - weekStart + 7) % 7;
  const cells: (Date | undefined)[] = Array<undefined>(lead).fill(undefined);
  const length = calendar.monthLength(year, month);
  for (let day = 1; day <= length; day++) cells.push(calendar.toDate({ year, month, day }));
  while (cells.length % 7 !== 0) cells.push(undefined);
  const rows: (Date | undefined)[][] = [];
  for (let at = 0; at < cells.length; at += 7) rows.push(cells.slice(at, at + 7));
  return rows;
}

/** Names of the days of the week, from the language's first; `narrow` for heads of columns, `long` for labels. */
export function weekdayNames(language: Language, width: 'narrow' | 'short' | 'long'): string[] {
  const { locale, weekStart } = REGIONS[language];
  const format = new Intl.DateTimeFormat(locale, { weekday: width });
  // 4 January 2026 was a Sunday.
  return Array.from({ length: 7 }, (_, i) => format.format(new Date(2026, 0, 4 + weekStart + i)));
}
