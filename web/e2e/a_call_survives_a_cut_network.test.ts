import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { answer, heard, hears, inCall, onlyThroughRelays, ring, twoWhoCall } from './support/calls';
import { Network } from './support/proxy';
import { Server } from './support/server';
import { eventually } from './support/stage';
import { lasted, WORDS } from './support/words';

let server: Server;
beforeAll(async () => {
  server = await Server.start('--call-loopback', 'true');
});
afterAll(() => server.close());

/** How long nothing gets through, in milliseconds. */
const CUT = 5_000;

// What is cut: the call goes through the relay that is in the server, and both browsers reach the server through a proxy.
// The proxies break every connection and take no new ones, and the server's process is stopped (SIGSTOP), so that not one
// packet of sound is relayed. That is what a person has whose network is gone: neither side hears or can signal anything.
test('nothing gets through for five seconds in the middle of a call; then they hear each other again', async () => {
  const networks = [await Network.to(server.port), await Network.to(server.port)];
  onTestFinished(() => Promise.all(networks.map((each) => each.close())).then(() => {}));
  const { mina, hers, his } = await twoWhoCall({ at: networks[0]!.url, hisAt: networks[1]!.url });
  await onlyThroughRelays(mina.device);
  await ring(hers, 'John');
  await answer(his, 'مینا');
  const both = await Promise.all([hears(hers), hears(his)]);
  expect(both.flatMap(({ path }) => path)).toEqual(['relay', 'relay', 'relay', 'relay']);

  server.freeze();
  const cutAt = Date.now();
  try {
    for (const network of networks) network.goAway();
    // It is really silent: once what was on its way has come, nothing comes for a second.
    const packets = async (): Promise<(number | undefined)[]> => (await Promise.all([heard(hers), heard(his)])).map((each) => each?.packets);
    for (let before = await packets(), silent = false; !silent; ) {
      await hers.page.waitForTimeout(1_000);
      const now = await packets();
      silent = String(now) === String(before);
      before = now;
      expect(Date.now() - cutAt, 'there is silence while the network is gone').toBeLessThan(CUT);
    }
    await hers.page.waitForTimeout(Math.max(0, cutAt + CUT - Date.now()));
  } finally {
    server.thaw();
    for (const network of networks) network.comeBack();
  }
  await Promise.all([hears(hers), hears(his)]);
  await inCall(hers, 'John').getByText(WORDS.fa.call.reconnecting).waitFor({ state: 'detached' });
  await eventually(async () => expect(await hers.page.locator('.band').count()).toBe(0));

  // And it can be ended as any other.
  await inCall(hers, 'John').getByRole('button', { name: WORDS.fa.call.hangUp, exact: true }).click();
  await inCall(his, 'مینا').waitFor({ state: 'detached' });
  await hers.history.getByText(lasted).waitFor();
});
