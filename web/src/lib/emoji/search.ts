import type { Language } from '../i18n/numbers';
import { fold } from '@chapar/client/text';

export type GroupId = 'smileys' | 'people' | 'nature' | 'food' | 'travel' | 'activities' | 'objects' | 'symbols' | 'flags';

export interface Emoji {
  emoji: string;
  /** Its name in the chosen language, from CLDR. */
  name: string;
  /** Name and keywords, folded for searching. */
  words: string;
}

export interface EmojiGroup {
  id: GroupId;
  emoji: Emoji[];
}

const NAMES: Record<Language, () => Promise<{ default: string[] }>> = {
  fa: () => import('./data/fa.json'),
  en: () => import('./data/en.json'),
  ar: () => import('./data/ar.json'),
};

const loaded = new Map<Language, EmojiGroup[]>();

/** All emoji in the order of the keyboard with their names in one language. Loaded when first asked for, then kept. */
export async function loadEmoji(language: Language): Promise<EmojiGroup[]> {
  const known = loaded.get(language);
  if (known) return known;
  const [{ default: groups }, { default: names }] = await Promise.all([import('./data/groups.json'), NAMES[language]()]);
  let at = 0;
  const result = groups.map((group) => ({
    id: group.id as GroupId,
    emoji: group.emoji.map((emoji) => {
      const entry = names[at++] ?? '';
      const name = entry.split('|')[0] || emoji;
      return { emoji, name, words: fold(entry.replaceAll('|', ' ')) };
    }),
  }));
  loaded.set(language, result);
  return result;
}

/** Emoji whose name or keywords contain every word of the query; those whose name begins with it come first. At most `limit`. */
export function searchEmoji(groups: readonly EmojiGroup[], query: string, limit = 120): Emoji[] {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const first: Emoji[] = [];
  const rest: Emoji[] = [];
  for (const group of groups) {
    for (const emoji of group.emoji) {
      if (!words.every((word) => emoji.words.includes(word))) continue;
      (emoji.words.startsWith(words[0] as string) ? first : rest).push(emoji);
    }
  }
  return [...first, ...rest].slice(0, limit);
}
