import { writeFileSync } from 'node:fs';

/**
 * What belongs to the first load: whatever the entry imports, and what that imports. Everything behind an `import()` comes
 * when it is wanted, so that something new is in the first load only if something there names it. What each module costs
 * is written down for `npm run size`.
 */
export function firstLoad() {
  const ids = new Set();
  const plugin = {
    name: 'chapar-first-load',
    apply: 'build',
    buildEnd() {
      const walk = (id) => {
        if (ids.has(id)) return;
        ids.add(id);
        for (const next of this.getModuleInfo(id)?.importedIds ?? []) walk(next);
      };
      for (const id of this.getModuleIds()) if (this.getModuleInfo(id)?.isEntry) walk(id);
    },
    generateBundle(_options, bundle) {
      const modules = {};
      for (const part of Object.values(bundle)) {
        if (part.type !== 'chunk') continue;
        for (const [id, { renderedLength }] of Object.entries(part.modules)) if (ids.has(id) && renderedLength > 0) modules[id.replace(/^.*\/(?=(web|typescript|node_modules)\/)/, '')] = renderedLength;
      }
      writeFileSync(new URL('../.first-load.json', import.meta.url), JSON.stringify(modules, null, 1));
    },
  };
  return { plugin, has: (id) => ids.has(id) };
}
