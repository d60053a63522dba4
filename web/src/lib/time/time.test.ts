import { describe, expect, it } from 'vitest';
import ar from '../i18n/ar';
import en from '../i18n/en';
import fa from '../i18n/fa';
import { calendarOf, lastDay, monthGrid, shiftMonth, weekdayNames } from './calendar';
import { Dates, daysBetween } from './format';

const persian = new Dates('fa', fa);
const english = new Dates('en', en);
const arabic = new Dates('ar', ar);
const now = new Date(2026, 10, 24, 15, 0);

describe('dates in words', () => {
  it('composes the full Jalali date', () => {
    expect(persian.full(now)).toBe('سه‌شنبه ۳ آذر ۱۴۰۵');
    expect(english.full(now)).toBe('Tuesday 24 November 2026');
    expect(persian.moment(new Date(2026, 10, 24, 14, 5))).toBe('سه‌شنبه ۳ آذر ۱۴۰۵، ۱۴:۰۵');
  });

  it('writes digits of the language in clocks and lengths', () => {
    expect(persian.clock(new Date(2026, 10, 24, 0, 5))).toBe('۰۰:۰۵');
    expect(arabic.clock(new Date(2026, 10, 24, 9, 5))).toBe('٠٩:٠٥');
    expect(persian.duration(125_000)).toBe('۲:۰۵');
    expect(english.duration(3_725_000)).toBe('1:02:05');
  });

  it('says when something ends', () => {
    expect(persian.end(new Date(2026, 10, 24, 16, 30), now)).toBe('۱۶:۳۰');
    expect(persian.end(new Date(2026, 10, 25, 9, 0), now)).toBe('۴ آذر، ۰۹:۰۰');
    expect(english.end(new Date(2027, 0, 1, 9, 0), now)).toBe('1 January 2027, 09:00');
  });

  it('separates days', () => {
    expect(persian.daySeparator(new Date(2026, 10, 24, 0, 1), now)).toBe('امروز');
    expect(persian.daySeparator(new Date(2026, 10, 23, 23, 59), now)).toBe('دیروز');
    expect(persian.daySeparator(new Date(2026, 10, 20), now)).toBe('جمعه ۲۹ آبان');
    expect(persian.daySeparator(new Date(2026, 1, 1), now)).toBe('یکشنبه ۱۲ بهمن ۱۴۰۴');
    expect(english.daySeparator(new Date(2026, 1, 1), now)).toBe('Sunday 1 February');
  });

  it('is short in the list', () => {
    expect(persian.listTime(new Date(2026, 10, 24, 9, 30), now)).toBe('۰۹:۳۰');
    expect(persian.listTime(new Date(2026, 10, 23, 9, 30), now)).toBe('دیروز');
    expect(persian.listTime(new Date(2026, 10, 21), now)).toBe('شنبه');
    expect(persian.listTime(new Date(2026, 9, 1), now)).toBe('۹ مهر');
    expect(persian.listTime(new Date(2025, 9, 1), now)).toBe('۱۴۰۴/۰۷/۰۹');
  });

  it('says when somebody was seen', () => {
    const ago = (ms: number) => persian.lastSeen(new Date(now.getTime() - ms), now);
    expect(ago(10_000)).toBe('آخرین بازدید همین حالا');
    expect(ago(5 * 60_000)).toBe('آخرین بازدید ۵ دقیقه پیش');
    expect(ago(3 * 3_600_000)).toBe('آخرین بازدید امروز ۱۲:۰۰');
    expect(ago(24 * 3_600_000)).toBe('آخرین بازدید دیروز ۱۵:۰۰');
    expect(ago(10 * 86_400_000)).toBe('آخرین بازدید ۲۳ آبان');
    expect(english.lastSeen(new Date(now.getTime() - 60_000), now)).toBe('last seen 1 minute ago');
  });

  it('counts days by the calendar, not by hours', () => {
    expect(daysBetween(new Date(2026, 10, 23, 23, 59), new Date(2026, 10, 24, 0, 1))).toBe(1);
    expect(daysBetween(new Date(2026, 10, 24, 0, 1), new Date(2026, 10, 24, 23, 59))).toBe(0);
  });

  it('names months', () => {
    expect(persian.monthYear(now)).toBe('آذر ۱۴۰۵');
    expect(english.monthYear(now)).toBe('November 2026');
    expect([persian, english, arabic].map((each) => each.month(now))).toEqual(['آذر', 'November', 'تشرين الثاني']);
    expect([persian, english, arabic].map((each) => each.year(now))).toEqual(['۱۴۰۵', '2026', '٢٠٢٦']);
  });
});

describe('the Jalali calendar', () => {
  const calendar = calendarOf('fa');

  it.each([
    [2026, 2, 21, 1405, 1, 1],
    [2025, 2, 20, 1403, 12, 30],
    [2025, 2, 21, 1404, 1, 1],
    [1979, 1, 11, 1357, 11, 22],
    [2026, 10, 24, 1405, 9, 3],
  ])('%i-%i-%i is %i/%i/%i', (gy, gm, gd, year, month, day) => {
    const date = new Date(gy, gm, gd);
    expect(calendar.fromDate(date)).toEqual({ year, month, day });
    expect(calendar.toDate({ year, month, day }).getTime()).toBe(date.getTime());
  });

  it('agrees with Intl on every day of sixty years', () => {
    const intl = new Intl.DateTimeFormat('en-u-ca-persian-nu-latn', { year: 'numeric', month: 'numeric', day: 'numeric' });
    for (let date = new Date(1980, 0, 1); date.getFullYear() < 2040; date = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1)) {
      const parts = intl.formatToParts(date);
      const get = (type: string) => Number(parts.find((p) => p.type === type)?.value);
      expect(calendar.fromDate(date)).toEqual({ year: get('year'), month: get('month'), day: get('day') });
    }
  });

  it('knows leap years', () => {
    expect(calendar.monthLength(1403, 12)).toBe(30);
    expect(calendar.monthLength(1404, 12)).toBe(29);
    expect(calendar.monthLength(1405, 1)).toBe(31);
  });

  it('knows the last day of a month', () => {
    expect([1, 7, 12].map((month) => lastDay('fa', { year: 1405, month, day: 1 }))).toEqual([31, 30, 29]);
    expect([2, 4].map((month) => lastDay('en', { year: 2028, month, day: 1 }))).toEqual([29, 30]);
  });

  it('goes over the year', () => {
    expect(shiftMonth({ year: 1405, month: 1, day: 5 }, -1)).toEqual({ year: 1404, month: 12, day: 1 });
    expect(shiftMonth({ year: 1405, month: 12, day: 5 }, 1)).toEqual({ year: 1406, month: 1, day: 1 });
  });

  it('begins the week on Saturday', () => {
    expect(weekdayNames('fa', 'long')).toEqual(['شنبه', 'یکشنبه', 'دوشنبه', 'سه‌شنبه', 'چهارشنبه', 'پنجشنبه', 'جمعه']);
    expect(weekdayNames('en', 'long')[0]).toBe('Monday');
    const grid = monthGrid('fa', { year: 1405, month: 9, day: 1 });
    // 1 Azar 1405 was a Sunday, the second column.
    expect(grid[0]?.[0]).toBeUndefined();
    expect(grid[0]?.[1]?.getTime()).toBe(new Date(2026, 10, 22).getTime());
    expect(grid.flat().filter(Boolean)).toHaveLength(30);
  });
});
