// Coordinates as people copy them out of maps, and as they are shown.

import { toLatinDigits } from '@chapar/client/text';

export interface Coordinates {
  latitude: number;
  longitude: number;
}

/** `34.6416, 50.8746`, also with Persian digits, as `geo:`, or with N, S, E and W. */
const PLAIN = /^(?:geo:)?\s*([+-]?\d{1,3}(?:\.\d+)?)\s*°?\s*([NS])?(?:\s*[,;]\s*|\s+)([+-]?\d{1,3}(?:\.\d+)?)\s*°?\s*([EW])?\s*(?:[;?].*)?$/i;
/** `34°38'28"N 50°52'44"E`. */
const SIXTIETHS = /^(\d{1,2})°\s*(?:(\d{1,2})['′]\s*)?(?:(\d{1,2}(?:\.\d+)?)(?:["″]|'')\s*)?([NS])[\s,;]+(\d{1,3})°\s*(?:(\d{1,2})['′]\s*)?(?:(\d{1,2}(?:\.\d+)?)(?:["″]|'')\s*)?([EW])$/i;

/** What somebody typed or put in; nothing where it is no place on the earth. */
export function parseCoordinates(typed: string): Coordinates | undefined {
  const text = toLatinDigits(typed).replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '').replaceAll('٫', '.').replace(/[،٬]/g, ',').replaceAll('−', '-').replaceAll('’', "'").replaceAll('”', '"').trim();
  const signed = (value: number, side: string | undefined): number => (side && /[SW]/i.test(side) ? -value : value);
  const plain = PLAIN.exec(text);
  if (plain) return onEarth(signed(Number(plain[1]), plain[2]), signed(Number(plain[3]), plain[4]));
  const parts = SIXTIETHS.exec(text);
  if (!parts) return undefined;
  const whole = (at: number): number => Number(parts[at]) + Number(parts[at + 1] ?? 0) / 60 + Number(parts[at + 2] ?? 0) / 3600;
  return onEarth(signed(whole(1), parts[4]), signed(whole(5), parts[8]));
}

function onEarth(latitude: number, longitude: number): Coordinates | undefined {
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined;
}

/** To a metre, in the form that maps take. */
export const plainCoordinates = ({ latitude, longitude }: Coordinates): string => `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
