import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { transformWithOxc } from 'vite';

/**
 * Puts `sw.js` at the root of the build, with the list of files that it keeps and a version made of them: the worker's
 * bytes change exactly when a file does, which is what makes a browser notice a new version.
 */
export function serviceWorker() {
  return {
    name: 'chapar-service-worker',
    apply: 'build',
    enforce: 'post',
    async generateBundle(_options, bundle) {
      // The names of emoji are large, and most people need one language of three: the worker keeps them when they are first used.
      const later = (name) => bundle[name].moduleIds?.some((id) => id.includes('/emoji/data/'));
      const files = Object.keys(bundle).filter((name) => !/(\.map|\.txt|^index\.html)$/.test(name) && !later(name));
      const version = createHash('sha256');
      for (const name of Object.keys(bundle).sort()) {
        const part = bundle[name];
        version.update(name).update(part.type === 'chunk' ? part.code : part.source);
      }
      // Files that are copied as they are count, too.
      for (const name of ['manifest.webmanifest', 'icons/icon.svg']) version.update(name).update(readFileSync(new URL(`../public/${name}`, import.meta.url)));
      const source = readFileSync(new URL('../src/sw.ts', import.meta.url), 'utf8');
      const { code } = await transformWithOxc(source, 'sw.ts', { lang: 'ts' });
      const list = ['/', ...files.sort().map((name) => `/${name}`), '/manifest.webmanifest', '/icons/icon.svg'];
      this.emitFile({
        type: 'asset',
        fileName: 'sw.js',
        source: code
          .replaceAll('__VERSION__', JSON.stringify(version.digest('hex').slice(0, 16)))
          .replaceAll('__FILES__', JSON.stringify(list))
          .replaceAll('__PAGE__', JSON.stringify(createHash('sha256').update(bundle['index.html'].source).digest('hex'))),
      });
    },
  };
}
