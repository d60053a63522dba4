import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { beforeAll, expect, test } from 'vitest';
import { device, url } from './support/stage';
import { leave, SCREENS, show, type World } from './support/screens';
import { seed } from './support/seed';
import type { Language } from './support/words';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
let world: World;

beforeAll(async () => {
  world = await seed(url());
});

for (const [language, theme, size] of [
  ['fa', 'light', 'desktop'],
  ['fa', 'dark', 'phone'],
  ['en', 'light', 'phone'],
  ['en', 'dark', 'desktop'],
] as [Language, 'light' | 'dark', 'phone' | 'desktop'][]) {
  test(`axe finds nothing: ${language}, ${theme}, ${size}`, async () => {
    const mina = await device({ language, theme, size });
    const found: Record<string, unknown> = {};
    let inside = false;
    for (const screen of SCREENS) {
      if (!screen.outside && !inside) {
        await mina.signIn(world.mina.handle);
        inside = true;
      }
      await show(screen, mina, world);
      // What is still moving has not its own colours yet.
      await mina.page.evaluate(() => Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {}))));
      await mina.page.evaluate(AXE);
      const { violations } = (await mina.page.evaluate((tags) => {
        return (window as unknown as { axe: { run(options: unknown): Promise<unknown> } }).axe.run({ runOnly: tags, resultTypes: ['violations'] });
      }, RULES)) as AxeResults;
      if (violations.length > 0) {
        found[screen.name] = violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`) }));
      }
      await leave(screen, mina);
    }
    expect(found).toEqual({});
  }, 300_000);
}
