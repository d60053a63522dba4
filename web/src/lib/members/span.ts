import { late } from '../i18n/index.svelte';

/** A whole time in words, by its largest unit that fits. */
export function span(seconds: number): string {
  const words = late().members;
  if (seconds % 3_600 === 0) return words.hours(seconds / 3_600);
  return seconds % 60 === 0 ? words.minutes(seconds / 60) : words.seconds(seconds);
}
