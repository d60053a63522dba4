import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { attach, noise, send } from './support/files';
import { eventually, somebody } from './support/stage';

test('an upload that was cut off by a reload goes on where it stood, and can be cancelled', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open('مینا');
  const file = noise('film.bin', 3_000_000);
  // After the first piece the network takes nothing more.
  const asked: string[] = [];
  let shut = true;
  await mina.device.context.route(/\/files(\/|$)/, async (route) => {
    const method = route.request().method();
    asked.push(method);
    if (shut && method === 'PATCH') await route.abort();
    else await route.continue();
  });
  await attach(hers, file);
  await send(hers, 1);
  await hers.history.getByText(hers.words.media.hindered.offline).waitFor();
  expect(asked.filter((method) => method === 'POST')).toHaveLength(1);
  // Words do not wait for it.
  await hers.say('در راه است');
  await his.message('در راه است').waitFor();

  asked.length = 0;
  await hers.page.reload();
  await hers.history.locator('ol.opened').waitFor();
  await hers.history.getByText('film.bin').waitFor();
  shut = false;
  const open = his.history.getByRole('button', { name: /film\.bin/ });
  await open.waitFor();
  expect(asked).toContain('HEAD');
  expect(asked).not.toContain('POST');
  const [download] = await Promise.all([his.page.waitForEvent('download'), open.click()]);
  expect(readFileSync(await download.path()).equals(file.buffer)).toBe(true);

  // Cancelled it is gone, here and there.
  shut = true;
  asked.length = 0;
  await attach(hers, noise('other.bin', 3_000_000));
  await send(hers, 1);
  await hers.history.getByText('other.bin').waitFor();
  await eventually(() => expect(asked).toContain('PATCH'));
  await hers.history.getByRole('button', { name: hers.words.media.cancel }).click();
  await eventually(async () => expect(await hers.history.getByText('other.bin').count()).toBe(0));
  await eventually(() => expect(asked).toContain('DELETE'));
});
