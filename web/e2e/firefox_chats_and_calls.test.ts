import { expect, onTestFinished, test } from 'vitest';
import { answer, caller, hears, inCall, KEEP_PEERS, ring, ringing } from './support/calls';
import { Firefox, hasFirefox } from './support/firefox';
import { Person } from './support/people';
import { url } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

/** Somebody with Debian's Firefox, who knows Mina. */
async function withFirefox() {
  const mina = await caller('مینا');
  const john = await Person.register(url(), 'John');
  await mina.person.direct(john);
  const firefox = await Firefox.open();
  onTestFinished(() => firefox.close());
  await firefox.signIn(url(), john.handle, en.auth.signIn);
  return { mina, john, firefox, hers: mina.device.main };
}

/** What arrives in Firefox: packets of sound. */
const packets = (firefox: Firefox): Promise<number> =>
  firefox.run(async () => {
    let sum = 0;
    for (const peer of (window as unknown as { peers: RTCPeerConnection[] }).peers) {
      if (peer.connectionState === 'closed') continue;
      for (const each of (await peer.getStats()).values()) if (each.type === 'inbound-rtp' && each.kind === 'audio') sum += each.packetsReceived as number;
    }
    return sum;
  });

test.runIf(hasFirefox())('somebody with Firefox signs in, writes, reads, answers and reacts, and Chromium sees the same', async () => {
  const { firefox, hers } = await withFirefox();
  await hers.open('John');
  await hers.say('سلام از کرومیوم، 98+ و English');
  await firefox.until((name) => {
    const row = [...document.querySelectorAll<HTMLElement>('nav.list a')].find((each) => each.innerText.includes(name));
    row?.click();
    return row !== undefined;
  }, 'مینا');
  await firefox.see('سلام از کرومیوم، 98+ و English');
  await hers.mark('سلام از کرومیوم، 98+ و English', 'read').waitFor();
  await firefox.focus('textarea');
  await firefox.type('hello from **Firefox**');
  await firefox.press(en.chat.send);
  await hers.message('hello from Firefox').locator('.bold').getByText('Firefox').waitFor();
  // A reload brings all of it back out of the browser's own store.
  await firefox.goto(`${url()}/`);
  await firefox.see('hello from Firefox');
  expect(await firefox.run(() => document.documentElement.lang)).toBe('en');
});

test.runIf(hasFirefox())('Chromium calls Firefox and Firefox calls Chromium: both hear', async () => {
  const { firefox, hers } = await withFirefox();
  await firefox.script(KEEP_PEERS);
  await ring(hers, 'John');
  await firefox.press(en.call.answer);
  await hears(hers);
  await expect.poll(() => packets(firefox), { timeout: 20_000 }).toBeGreaterThan(50);
  await inCall(hers, 'John').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
  await firefox.press(en.call.rateSkip);
  await hers.dialog(fa.call.rateTitle).getByRole('button', { name: fa.call.rateSkip, exact: true }).click();

  await firefox.until(() => {
    document.querySelector<HTMLElement>('nav.list a')?.click();
    return document.querySelector('section.chat') !== null;
  });
  await firefox.press(en.chat.call);
  await ringing(hers, 'John').waitFor();
  await answer(hers, 'John');
  await hears(hers);
  await expect.poll(() => packets(firefox), { timeout: 20_000 }).toBeGreaterThan(50);
});
