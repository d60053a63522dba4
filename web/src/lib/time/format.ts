import type fa from '../i18n/fa';
import { REGIONS, type Language } from '../i18n/numbers';

type Catalogue = typeof fa;

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** The dates and times of one language. `now` is a parameter wherever the result depends on it. */
export class Dates {
  readonly #clock: Intl.DateTimeFormat;
  readonly #weekday: Intl.DateTimeFormat;
  readonly #dayMonth: Intl.DateTimeFormat;
  readonly #dayMonthYear: Intl.DateTimeFormat;
  readonly #monthYear: Intl.DateTimeFormat;
  readonly #numeric: Intl.DateTimeFormat;
  readonly #year: Intl.DateTimeFormat;
  readonly #two: Intl.NumberFormat;
  readonly #one: Intl.NumberFormat;
  readonly #abroad: boolean;
  readonly #clocks = new Map<number, string>();
  readonly #days = new Map<number, string>();

  constructor(
    language: Language,
    private readonly t: Catalogue,
    timeZone?: string,
  ) {
    const { locale } = REGIONS[language];
    this.#abroad = timeZone !== undefined;
    const make = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
      new Intl.DateTimeFormat(locale, timeZone === undefined ? options : { ...options, timeZone });
    this.#clock = make({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    this.#weekday = make({ weekday: 'long' });
    this.#dayMonth = make({ day: 'numeric', month: 'long' });
    this.#dayMonthYear = make({ day: 'numeric', month: 'long', year: 'numeric' });
    this.#monthYear = make({ month: 'long', year: 'numeric' });
    this.#numeric = make({ day: '2-digit', month: '2-digit', year: 'numeric' });
    this.#year = make({ year: 'numeric' });
    this.#two = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false });
    this.#one = new Intl.NumberFormat(locale, { useGrouping: false });
  }

  /** «۱۴:۰۵» */
  clock(at: Date): string {
    return remembered(this.#clocks, Math.floor(at.getTime() / MINUTE), () => this.#clock.format(at));
  }

  /** «سه‌شنبه ۳ آذر ۱۴۰۵»: composed, because `dateStyle: 'full'` orders it wrongly and puts a Latin comma. */
  full(at: Date): string {
    const make = (): string => `${this.#weekday.format(at)} ${this.#date(at, true)}`;
    // Of another time zone the days are others than the device's.
    return this.#abroad ? make() : remembered(this.#days, startOfDay(at).getTime(), make);
  }

  /** «سه‌شنبه ۳ آذر ۱۴۰۵، ۱۴:۰۵» */
  moment(at: Date): string {
    return `${this.full(at)}${this.t.common.and}${this.clock(at)}`;
  }

  /** When something ends, short: the time today, else the day with it. */
  end(at: Date, now: Date): string {
    if (daysBetween(at, now) === 0) return this.clock(at);
    return `${this.#date(at, !this.#sameYear(at, now))}${this.t.common.and}${this.clock(at)}`;
  }

  /** The separator between the days of a chat: today, yesterday, weekday with day and month, the year when it is another. */
  daySeparator(at: Date, now: Date): string {
    const days = daysBetween(at, now);
    if (days === 0) return this.t.time.today;
    if (days === 1) return this.t.time.yesterday;
    return `${this.#weekday.format(at)} ${this.#date(at, !this.#sameYear(at, now))}`;
  }

  /** For the list of chats, short: the time today, then yesterday, the weekday within a week, the date. */
  listTime(at: Date, now: Date): string {
    const days = daysBetween(at, now);
    if (days <= 0) return this.clock(at);
    if (days === 1) return this.t.time.yesterday;
    if (days < 7) return this.#weekday.format(at);
    return this.#sameYear(at, now) ? this.#date(at, false) : this.#numeric.format(at);
  }

  /** «آخرین بازدید ۵ دقیقه پیش»، «آخرین بازدید دیروز ۱۴:۰۵». */
  lastSeen(at: Date, now: Date): string {
    const { presence } = this.t;
    const past = now.getTime() - at.getTime();
    if (past < MINUTE) return presence.seenNow;
    if (past < 60 * MINUTE) return presence.seenMinutes(Math.floor(past / MINUTE));
    const days = daysBetween(at, now);
    if (days <= 0) return presence.seenToday(this.clock(at));
    if (days === 1) return presence.seenYesterday(this.clock(at));
    return presence.seenOn(this.#date(at, !this.#sameYear(at, now)));
  }

  /** «آذر ۱۴۰۵» */
  monthYear(at: Date): string {
    const parts = this.#monthYear.formatToParts(at);
    return `${part(parts, 'month')} ${part(parts, 'year')}`;
  }

  /** «آذر» */
  month(at: Date): string {
    return part(this.#monthYear.formatToParts(at), 'month');
  }

  /** «۱۴۰۵» */
  year(at: Date): string {
    return part(this.#monthYear.formatToParts(at), 'year');
  }

  /** A length of time as «۲:۰۵» or «۱:۰۲:۰۵». */
  duration(milliseconds: number): string {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    const rest = this.#two.format(seconds % 60);
    return hours > 0 ? `${this.#one.format(hours)}:${this.#two.format(minutes)}:${rest}` : `${this.#one.format(minutes)}:${rest}`;
  }

  #date(at: Date, withYear: boolean): string {
    const parts = (withYear ? this.#dayMonthYear : this.#dayMonth).formatToParts(at);
    const day = `${part(parts, 'day')} ${part(parts, 'month')}`;
    return withYear ? `${day} ${part(parts, 'year')}` : day;
  }

  #sameYear(a: Date, b: Date): boolean {
    return this.#year.format(a) === this.#year.format(b);
  }
}

/** Texts that are kept of each kind at most. */
const KEPT = 500;

/** Intl takes longer over a time of day than the page over all else in its line, and those on the screen are much the same. */
function remembered(kept: Map<number, string>, key: number, make: () => string): string {
  let text = kept.get(key);
  if (text === undefined) {
    if (kept.size >= KEPT) kept.clear();
    kept.set(key, (text = make()));
  }
  return text;
}

/** Midnight of the day, in the device's time zone. */
export function startOfDay(at: Date): Date {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate());
}

/** Whole days from `at` to `now` by the calendar, in the device's time zone; 0 for the same day. */
export function daysBetween(at: Date, now: Date): number {
  // Rounded: where clocks are changed a day has 23 or 25 hours.
  return Math.round((startOfDay(now).getTime() - startOfDay(at).getTime()) / DAY);
}

function part(parts: Intl.DateTimeFormatPart[], type: Intl.DateTimeFormatPartTypes): string {
  return parts.find((p) => p.type === type)?.value ?? '';
}
