import { expect, test } from 'vitest';
import { parseCoordinates, plainCoordinates } from './coordinates';

test('coordinates are read as maps give them and as people type them', () => {
  const qom = { latitude: 34.6416, longitude: 50.8746 };
  for (const typed of ['34.6416, 50.8746', ' 34.6416 50.8746 ', '۳۴٫۶۴۱۶، ۵۰٫۸۷۴۶', '٣٤٫٦٤١٦ ٥٠٫٨٧٤٦', 'geo:34.6416,50.8746?z=16', '34.6416° N, 50.8746° E', '\u200e34.6416, 50.8746\u200e']) {
    expect(parseCoordinates(typed), typed).toEqual(qom);
  }
  expect(parseCoordinates('-33.8688; 151.2093')).toEqual({ latitude: -33.8688, longitude: 151.2093 });
  expect(parseCoordinates('−33.8688, −70.6')).toEqual({ latitude: -33.8688, longitude: -70.6 });
  expect(parseCoordinates('33.8688 S 70.6 W')).toEqual({ latitude: -33.8688, longitude: -70.6 });
  const { latitude, longitude } = parseCoordinates('34°38\'29.8"N 50°52\'28.6"E') ?? { latitude: 0, longitude: 0 };
  expect([latitude.toFixed(4), longitude.toFixed(4)]).toEqual(['34.6416', '50.8746']);
  for (const typed of ['', '34.6416', 'here', '91, 0', '0, 181', '34,6416, 50,8746', '1 2 3']) expect(parseCoordinates(typed), typed).toBeUndefined();
});

test('what is shown is read again', () => {
  const place = { latitude: -0.123456, longitude: 179.99999 };
  const shown = plainCoordinates(place);
  expect(shown).toBe('-0.12346, 179.99999');
  expect(plainCoordinates(parseCoordinates(shown) ?? place)).toBe(shown);
});
