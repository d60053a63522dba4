import { describe, expect, it } from 'vitest';
import { LANGUAGES } from '../i18n/numbers';
import { loadEmoji, searchEmoji } from './search';

describe('emoji', () => {
  it('has a name for every emoji in every language', async () => {
    for (const language of LANGUAGES) {
      const groups = await loadEmoji(language);
      expect(groups).toHaveLength(9);
      expect(groups.flatMap((g) => g.emoji).filter((e) => e.name === e.emoji)).toEqual([]);
    }
  });

  it('is found in the words of the language, with any keyboard', async () => {
    const find = async (language: 'fa' | 'en' | 'ar', query: string) =>
      searchEmoji(await loadEmoji(language), query).map((e) => e.emoji);
    expect(await find('fa', 'قلب')).toContain('❤️');
    expect(await find('fa', 'گريه')).toContain('😭');
    expect(await find('en', 'red heart')).toContain('❤️');
    expect(await find('ar', 'قلب')).toContain('❤️');
    expect(await find('fa', 'ایران')).toContain('🇮🇷');
    expect(await find('en', 'no such thing')).toEqual([]);
    expect(await find('en', ' ')).toEqual([]);
  });
});
