import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ARTIFACTS } from './support/ledger';
import { leave, SCREENS, show } from './support/screens';
import { seed } from './support/seed';
import { device, url } from './support/stage';

const MEDIA = ['files', 'files-middle', 'files-end', 'attach', 'attach-one', 'record', 'record-listen', 'microphone-refused', 'viewer', 'player', 'shared', 'crop', 'media-settings'];

test('at twice the text size on a narrow phone nothing of photos and voices sticks out, and what is pressed is within reach', async () => {
  const world = await seed(url());
  const mina = await device({ size: 'phone', before: "document.addEventListener('DOMContentLoaded', () => (document.documentElement.style.fontSize = '200%'));" });
  await mina.signIn(world.mina.handle);
  const wrong: Record<string, string[]> = {};
  for (const screen of SCREENS.filter(({ name }) => MEDIA.includes(name) && new RegExp(process.env.ONLY ?? '').test(name))) {
    await show(screen, mina, world);
    const found = await mina.page.evaluate(() => {
      const faults: string[] = [];
      const say = (it: Element): string => `${it.tagName.toLowerCase()}.${it.className} ${(it.getAttribute('aria-label') ?? it.textContent ?? '').trim().slice(0, 40)}`;
      if (document.documentElement.scrollWidth > innerWidth) faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
      const top = document.querySelector('dialog[open]') ?? document.body;
      for (const it of top.querySelectorAll('button, input, textarea, a, p, h2, time')) {
        const { left, right, width, height } = it.getBoundingClientRect();
        if (width <= 1 || height <= 1 || getComputedStyle(it).visibility === 'hidden') continue;
        if (left < -1 || right > innerWidth + 1) faults.push(`${say(it)} from ${Math.round(left)} to ${Math.round(right)}`);
      }
      // What is written on a button is not cut off.
      for (const it of top.querySelectorAll<HTMLElement>('.button, .tools, .choices label, [role=tab]')) if (it.offsetParent && it.scrollWidth > it.clientWidth + 1) faults.push(`${say(it)} is cut off`);
      return faults;
    });
    if (found.length > 0) wrong[screen.name] = found;
    if (process.env.KEEP_ARTIFACTS) {
      mkdirSync(ARTIFACTS, { recursive: true });
      await mina.page.screenshot({ path: `${ARTIFACTS}large-${screen.name}.png` });
    }
    await leave(screen, mina);
  }
  expect(wrong).toEqual({});
}, 300_000);
