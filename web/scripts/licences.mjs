import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What reaches the browser and wants its notice to go with it. */
const IN_THE_PAGE = ['svelte', 'jalaali-js', '@fontsource-variable/vazirmatn', 'cldr-annotations-full', 'unicode-emoji-json'];

/** Puts `licences.txt` into the build: the notices of everything that the page is made of. */
export function licences() {
  return {
    name: 'chapar-licences',
    apply: 'build',
    generateBundle() {
      const parts = IN_THE_PAGE.map((name) => {
        const folder = new URL(`../node_modules/${name}/`, import.meta.url);
        const file = existsSync(folder) && readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
        if (!file) throw new Error(`${name} has no licence file`);
        return `${name}\n${'='.repeat(name.length)}\n\n${readFileSync(new URL(file, folder), 'utf8').trim()}\n`;
      });
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: parts.join('\n\n') });
    },
  };
}
