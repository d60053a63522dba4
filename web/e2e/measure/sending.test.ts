// How soon what one sends stands on the own screen, in frames, and on the other's, in time.
import { expect, test } from 'vitest';
import type { Tab } from '../support/browser';
import { somebody } from '../support/stage';
import { at, ms, sorted, table } from './figures';

const keep = table();
const ROUNDS = 40;

interface Notes {
  pressed: Record<string, number>;
  /** When the bubble was put into the page, and when a frame with it had been painted. */
  seen: Record<string, number>;
  painted: Record<string, number>;
  /** Frames that began after the key was pressed and before the bubble was in the page. */
  late: Record<string, number>;
  /** Whether the bubble stood within the history in the first frame. */
  shown: Record<string, boolean>;
  /** By the browser's own Event Timing: from the key to the next frame presented, in steps of 8 ms. */
  keys: number[];
}

/** Notes in a page, by the clock that all pages share, what becomes of a message. */
async function watch(tab: Tab): Promise<void> {
  await tab.page.evaluate(() => {
    const now = (): number => performance.timeOrigin + performance.now();
    const notes: Notes = Object.assign(window, { pressed: {}, seen: {}, painted: {}, late: {}, shown: {}, keys: [] });
    addEventListener(
      'keydown',
      (event) => {
        if (event.key !== 'Enter') return;
        const text = (event.target as HTMLTextAreaElement).value;
        notes.pressed[text] = now();
        notes.late[text] = 0;
        const frame = (): void => {
          if (notes.seen[text] !== undefined) return;
          notes.late[text] = (notes.late[text] ?? 0) + 1;
          requestAnimationFrame(frame);
        };
        requestAnimationFrame(frame);
      },
      true,
    );
    new MutationObserver(() => {
      for (const content of [...document.querySelectorAll('li.message .content')].slice(-3)) {
        const text = (content as HTMLElement).textContent?.trim() ?? '';
        if (notes.seen[text] !== undefined) continue;
        notes.seen[text] = now();
        requestAnimationFrame(() => {
          const [row, box] = [content.getBoundingClientRect(), document.querySelector('section.box')?.getBoundingClientRect()];
          notes.shown[text] = box !== undefined && row.top >= box.top && row.bottom <= box.bottom;
          setTimeout(() => (notes.painted[text] = now()));
        });
      }
    }).observe(document.body, { childList: true, subtree: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (entry.name === 'keydown') notes.keys.push(entry.duration);
    }).observe({ type: 'event', durationThreshold: 16, buffered: false } as PerformanceObserverInit);
  });
}

const read = (tab: Tab): Promise<Notes> =>
  tab.page.evaluate(() => {
    const { pressed, seen, painted, late, shown, keys } = window as unknown as Notes;
    return { pressed, seen, painted, late, shown, keys };
  });

test('sending: on the own screen with the next frame, in the tab that leads and in another; and on the other side', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John');
  await mina.person.direct(john.person);
  await mina.device.main.open('John');
  const second = await mina.device.tab();
  await second.page.goto(mina.device.page.url());
  await second.history.locator('ol.opened').waitFor();
  await john.device.main.open('مینا');
  for (const tab of [mina.device.main, second, john.device.main]) await watch(tab);

  for (const [name, tab] of [['', mina.device.main], [' from a tab that does not lead', second]] as const) {
    await tab.page.bringToFront();
    await john.device.page.bringToFront();
    for (let round = 1; round <= ROUNDS; round++) {
      const text = `پیام شمارهٔ ${round}${name}`;
      await tab.say(text);
      await john.device.main.message(text).last().waitFor();
    }
    const [hers, his] = [await read(tab), await read(john.device.main)];
    const texts = Object.keys(hers.pressed).filter((text) => hers.seen[text] !== undefined && his.seen[text] !== undefined);
    expect(texts.length).toBe(ROUNDS);
    const since = (notes: Record<string, number>): number[] => texts.map((text) => (notes[text] ?? NaN) - (hers.pressed[text] ?? NaN));
    const late = texts.map((text) => hers.late[text] ?? NaN);
    keep(`send${name}: frames between the key and the bubble in the page`, `at most ${Math.max(...late)} (n=${late.length})`);
    keep(`send${name}: in the own page`, ms(since(hers.seen)));
    keep(`send${name}: own frame painted`, ms(since(hers.painted)));
    keep(`send${name}: keys whose next frame took over 16 ms, by Event Timing`, `${hers.keys.length} of ${ROUNDS}${hers.keys.length > 0 ? `, median of these ${at(sorted(hers.keys), 0.5)} ms` : ''}`);
    keep(`send${name}: in the other page, on loopback`, ms(since(his.seen)));
    keep(`send${name}: other frame painted, on loopback`, ms(since(his.painted)));
    // No timing: it is there before any frame can be, and within what is seen of the history.
    expect(late).toEqual(texts.map(() => 0));
    expect(texts.filter((text) => hers.shown[text] !== true)).toEqual([]);
  }
});
