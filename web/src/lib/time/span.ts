import { t } from '../i18n/index.svelte';

/** Seconds of each unit, the largest first; a month has 30 days. */
const UNITS = { years: 31_536_000, months: 2_592_000, weeks: 604_800, days: 86_400, hours: 3_600, minutes: 60, seconds: 1 } as const;

/** A whole time in words, by its largest unit that fits. */
export function spanOf(seconds: number): string {
  const unit = (Object.keys(UNITS) as (keyof typeof UNITS)[]).find((each) => seconds >= UNITS[each] && seconds % UNITS[each] === 0) ?? 'seconds';
  return t().time.spans[unit](seconds / UNITS[unit]);
}
