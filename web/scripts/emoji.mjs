// Writes src/lib/emoji/data: the emoji in the order of the keyboard, and their names in each language from CLDR.
// Run it after an update of its packages; what it writes is committed.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const load = (name) => JSON.parse(readFileSync(require.resolve(name), 'utf8'));
const GROUPS = {
  'Smileys & Emotion': 'smileys',
  'People & Body': 'people',
  'Animals & Nature': 'nature',
  'Food & Drink': 'food',
  'Travel & Places': 'travel',
  Activities: 'activities',
  Objects: 'objects',
  Symbols: 'symbols',
  Flags: 'flags',
};
/** Newer ones are empty boxes on the phones that people have. */
const NEWEST = 15;
/** Keywords of one emoji in one language; more make the file large and the search vague. */
const KEYWORDS = 6;

const groups = load('unicode-emoji-json/data-by-group.json').map((group) => ({
  id: GROUPS[group.slug] ?? GROUPS[group.name],
  emoji: group.emojis.filter((e) => Number(e.emoji_version) <= NEWEST).map((e) => e.emoji),
}));
const out = new URL('../src/lib/emoji/data/', import.meta.url);
writeFileSync(new URL('groups.json', out), `${JSON.stringify(groups)}\n`);
for (const language of ['fa', 'en', 'ar']) {
  const { annotations } = load(`cldr-annotations-full/annotations/${language}/annotations.json`).annotations;
  const derived = load(`cldr-annotations-derived-full/annotationsDerived/${language}/annotations.json`).annotationsDerived.annotations;
  const names = groups.flatMap((group) =>
    group.emoji.map((emoji) => {
      const found = annotations[emoji] ?? annotations[emoji.replaceAll('\ufe0f', '')] ?? derived[emoji] ?? derived[emoji.replaceAll('\ufe0f', '')];
      if (!found) return '';
      const name = found.tts?.[0] ?? '';
      const words = (found.default ?? []).filter((word) => word !== name).slice(0, KEYWORDS);
      return [name, ...words].join('|');
    }),
  );
  const missing = names.filter((n) => n === '').length;
  console.log(language, names.length, 'emoji,', missing, 'without a name');
  writeFileSync(new URL(`${language}.json`, out), `${JSON.stringify(names)}\n`);
}
// The licence of the data asks to go with it.
copyFileSync(new URL('../node_modules/cldr-annotations-full/LICENSE', import.meta.url), new URL('LICENSE', out));
