import type { Worker } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Device, Tab } from './support/browser';
import { eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

interface Shown {
  title: string;
  body: string;
  tag: string;
}

/** What the browser shows now for this page. */
const shown = (tab: Tab): Promise<Shown[]> =>
  tab.page.evaluate(async () => {
    const worker = await navigator.serviceWorker.ready;
    return (await worker.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag }));
  });

/** The page is no longer the one that is looked at: Playwright makes all of them believe that they are. */
async function lookAway({ context, page }: Device): Promise<void> {
  const cdp = await context.newCDPSession(page);
  await cdp.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  const other = await context.newPage();
  await other.goto('about:blank');
  await other.bringToFront();
  await page.waitForFunction(() => document.hidden || !document.hasFocus());
}

test('a message that comes while one looks elsewhere is told of, once, and leads to its chat', async () => {
  const mina = await somebody('مینا');
  await mina.device.context.grantPermissions(['notifications'], { origin: mina.device.url });
  const john = await somebody('John', { language: 'en' });
  const sara = await somebody('سارا');
  const chat = await mina.person.direct(john.person);
  await mina.person.direct(sara.person);
  const hers = mina.device.main;
  await mina.device.visit('#/settings');
  const toggle = hers.page.getByRole('switch', { name: fa.settings.notify });
  await toggle.click();
  await eventually(async () => expect(await toggle.isChecked()).toBe(true));
  await mina.device.visit('#/');
  await hers.open('سارا');

  // While she looks at it nothing is told.
  await john.person.say(chat, 'seen at once');
  await hers.row('John').getByText('seen at once').waitFor();
  expect(await shown(hers)).toEqual([]);

  await lookAway(mina.device);
  await john.person.say(chat, 'are you there?');
  await eventually(async () => {
    const [only, ...more] = await shown(hers);
    expect(more).toEqual([]);
    expect(only?.title).toBe('John');
    expect(only?.body).toContain('are you there?');
    expect(only?.tag).toBe(`chat-${chat}`);
  });
  // A second one of the same chat takes its place.
  await john.person.say(chat, 'hello?');
  await eventually(async () => expect((await shown(hers)).map(({ body }) => body.includes('hello?'))).toEqual([true]));

  // Pressed: nobody but the browser can do that, so its event is made in the worker.
  const worker = mina.device.context.serviceWorkers()[0] as Worker;
  await worker.evaluate(`registration.getNotifications().then(([notification]) => {
    self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
  })`);
  await hers.page.waitForURL(new RegExp(`#/chat/${chat}`));
  await hers.message('are you there?').waitFor();
  await eventually(async () => expect(await shown(hers)).toEqual([]));
});
