import { expect, test } from 'vitest';
import { sound } from './support/axe';
import type { Tab } from './support/browser';
import { caller, hold, live, opened } from './support/calls';
import { eventually, somebody } from './support/stage';

/** Opens the camera as people do; the lens is open when it can be recorded. */
async function begin(tab: Tab, waits = true): Promise<void> {
  await tab.page.getByRole('button', { name: tab.words.media.attach, exact: true }).click();
  await tab.menuItem(tab.words.media.round).click();
  await lens(tab).waitFor();
  if (waits) await eventually(async () => expect(await lens(tab).getByRole('button', { name: tab.words.adding.roundStart, exact: true }).isEnabled()).toBe(true));
}
const lens = (tab: Tab) => tab.dialog(tab.words.adding.roundTitle);
const rounds = ({ history }: Tab) => history.locator('.round');
const closed = (tab: Tab): Promise<void> => eventually(async () => expect(await live(tab)).toEqual([]));
const second = (tab: Tab): Promise<void> => lens(tab).getByRole('timer').getByText(/[1-9۱-۹]/).waitFor();
const film = (tab: Tab) =>
  rounds(tab)
    .first()
    .locator('video')
    .evaluate((it) => ({ muted: (it as HTMLVideoElement).muted, paused: (it as HTMLVideoElement).paused, loop: (it as HTMLVideoElement).loop, at: (it as HTMLVideoElement).currentTime, width: (it as HTMLVideoElement).videoWidth }));

test('it is recorded, looked at, sent; it moves silently at the other one, who presses and hears it; no camera stays on', async () => {
  const mina = await caller('مینا');
  const john = await somebody('John', { language: 'en' });
  const chat = await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  const button = (name: string) => lens(hers).getByRole('button', { name, exact: true });

  await begin(hers);
  expect(await live(hers)).toEqual(['audio', 'video']);
  await sound(hers);
  await button(hers.words.adding.roundStart).press('Enter');
  await second(hers);
  await button(hers.words.adding.roundStop).press('Enter');
  await closed(hers);
  await lens(hers).locator('video[loop]').waitFor();
  await button(hers.words.chat.send).press('Enter');
  await lens(hers).waitFor({ state: 'detached' });
  await eventually(async () => expect(await rounds(hers).count()).toBe(1));

  await his.open('مینا');
  await eventually(async () => {
    const { muted, paused, loop, at } = await film(his);
    expect([muted, paused, loop, at > 0]).toEqual([true, false, true, true]);
  });
  await sound(his);
  const row = async () => (await john.person.call<{ messages: { body: Record<string, unknown> & { file: { mime: string; size: number } } }[] }>('history', { chat_id: chat, seq: 1, before: 0, after: 50 })).messages.find(({ body }) => body['kind'] === 'round')?.body;
  const sent = await row();
  expect(sent?.['duration_ms']).toBeGreaterThan(900);
  expect(sent?.['duration_ms']).toBeLessThan(15_000);
  expect([sent?.['preview'], sent?.['poster']]).toEqual([expect.any(String), expect.any(String)]);
  expect(sent?.file.mime).toMatch(/^video\/(mp4|webm)$/);
  const press = rounds(his).first().getByRole('button');
  await press.click();
  await eventually(async () => {
    const { muted, paused, loop } = await film(his);
    expect([muted, paused, loop]).toEqual([false, false, false]);
  });
  // To its end, and silently again.
  await eventually(async () => expect((await film(his)).muted).toBe(true));
});

test('whatever ends it, no camera stays on', async () => {
  const mina = await caller('مینا');
  const john = await somebody('John');
  await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  const discard = () => lens(hers).getByRole('button', { name: hers.words.media.recordCancel, exact: true });
  // Before it began, by the button.
  await begin(hers);
  await discard().click();
  await closed(hers);
  // In the middle, by the key.
  await begin(hers);
  await lens(hers).getByRole('button', { name: hers.words.adding.roundStart, exact: true }).click();
  await second(hers);
  await hers.page.keyboard.press('Escape');
  await lens(hers).waitFor({ state: 'detached' });
  await closed(hers);
  // While the browser asks, and it is allowed only afterwards.
  const before = (await opened(hers)).length;
  const letGo = await hold(hers);
  await begin(hers, false);
  await discard().click();
  await lens(hers).waitFor({ state: 'detached' });
  await letGo();
  await eventually(async () => expect((await opened(hers)).length).toBe(before + 2));
  await closed(hers);
  // By the way back of the browser.
  await begin(hers);
  await hers.page.goBack();
  await lens(hers).waitFor({ state: 'detached' });
  await closed(hers);
  expect(await rounds(hers).count()).toBe(0);
});

test('a camera that is refused is said; with "never load by itself" nothing moves before it is pressed', async () => {
  const mina = await somebody('مینا', { before: "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));" });
  const john = await somebody('John', { before: "localStorage['chapar.media-loads'] = 'never';" });
  await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  await begin(hers, false);
  await lens(hers).getByRole('alert').getByText(hers.words.adding.roundTrouble.denied).waitFor();
  await hers.page.keyboard.press('Escape');
  await lens(hers).waitFor({ state: 'detached' });

  const his = john.device.main;
  await his.open('مینا');
  await begin(his);
  await lens(his).getByRole('button', { name: his.words.adding.roundStart, exact: true }).click();
  await second(his);
  await lens(his).getByRole('button', { name: his.words.chat.send, exact: true }).click();
  await eventually(async () => expect(await rounds(his).count()).toBe(1));
  await rounds(his).getByRole('button', { name: /۰?[۰-۹:]+/ }).waitFor();
  expect(await rounds(his).locator('video').count()).toBe(0);
});
