import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { beforeAll, expect, test } from 'vitest';
import type { Device } from './support/browser';
import { device, url } from './support/stage';
import { callScreens, leave, SCREENS, show, type World } from './support/screens';
import { seed } from './support/seed';
import type { Language } from './support/words';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
let world: World;

beforeAll(async () => {
  world = await seed(url());
});

type Look = 'light' | 'dark';

for (const [language, size, looks] of [
  ['fa', 'desktop', ['light', 'dark']],
  ['en', 'phone', ['light', 'dark']],
  // Another language has other names for things, and no other colours.
  ['ar', 'tablet', ['light']],
] as [Language, 'desktop' | 'phone' | 'tablet', Look[]][]) {
  test(`axe finds nothing: ${language}, ${size}, ${looks.join(' and ')}`, async () => {
    const mina = await device({ language, size, theme: 'system' });
    const found: Record<string, unknown> = {};
    const check = async (name: string): Promise<void> => {
      await mina.page.evaluate(AXE);
      for (const look of looks) {
        await mina.page.emulateMedia({ colorScheme: look });
        const violations = await findings(mina, look);
        if (violations.length > 0) found[`${name}, ${look}`] = violations;
      }
    };
    let inside = false;
    for (const screen of SCREENS) {
      if (!screen.outside && !inside) {
        await mina.signIn(world.mina.handle);
        inside = true;
      }
      await show(screen, mina, world);
      await check(screen.name);
      await leave(screen, mina);
    }
    const sara = await device({ language: 'en' });
    await sara.signIn(world.sara.handle);
    await callScreens(mina, sara, world, check);
    expect(found).toEqual({});
  }, 600_000);
}

/** All rules in the first look; in the other one what may differ there, which are the colours. */
async function findings({ page }: Device, look: Look): Promise<unknown[]> {
  // The page has taken the look, and what was moving for it stands still: before that its colours are not its own.
  await page.waitForFunction((wanted) => document.documentElement.dataset['theme'] === wanted, look);
  await page.evaluate(async () => {
    const moving = (): Animation[] => document.getAnimations().filter((each) => each.playState === 'running' && each.effect?.getComputedTiming().endTime !== Infinity);
    for (let still = 0; still < 3; ) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = moving();
      still = now.length === 0 ? still + 1 : 0;
      await Promise.all(now.map((each) => each.finished.catch(() => {})));
    }
  });
  const only = look === 'light' ? { type: 'tag', values: RULES } : { type: 'rule', values: ['color-contrast'] };
  const { violations } = (await page.evaluate(
    (runOnly) => (window as unknown as { axe: { run(options: unknown): Promise<unknown> } }).axe.run({ runOnly, resultTypes: ['violations'] }),
    only,
  )) as AxeResults;
  return violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`) }));
}
