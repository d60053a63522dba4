import { afterAll, beforeAll, expect, test } from 'vitest';
import { Server } from './support/server';
import { eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

let server: Server;
beforeAll(async () => {
  server = await Server.start('--messages-per-second', '0');
});
afterAll(() => server.close());

test('killed in the middle of a talk and started again: nothing is lost or doubled on either screen', async () => {
  const mina = await somebody('مینا', { at: server.url });
  const john = await somebody('John', { at: server.url, language: 'en' });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open('مینا');
  const written: string[] = [];
  const both = async (round: string): Promise<void> => {
    for (let number = 1; number <= 5; number++) {
      const [one, other] = [`${round} مینا ${number}`, `${round} John ${number}`];
      await hers.say(one);
      await his.say(other);
      written.push(one, other);
    }
  };
  await both('پیش');
  // Some of these are on their way when the server dies.
  const during = both('هنگام');
  await server.stop('SIGKILL');
  await during;
  await hers.away.waitFor();
  await both('پس');
  await server.start();

  for (const tab of [hers, his]) await tab.retryNow();
  await eventually(async () => {
    const [left, right] = [await hers.texts(), await his.texts()];
    expect(left).toEqual(right);
    expect([...left].sort()).toEqual([...written].sort());
  });
  // Nobody's own words changed their order.
  for (const name of ['مینا', 'John']) {
    const own = (await his.texts()).filter((text) => text.includes(name));
    expect(own).toEqual(written.filter((text) => text.includes(name)));
  }
  await eventually(async () => expect(await hers.history.getByRole('img', { name: WORDS.fa.chat.waiting }).count()).toBe(0));
  await hers.page.locator('.band').waitFor({ state: 'detached' });

  // What the server kept is what the screens show, also for one who opens them anew.
  await hers.page.reload();
  await hers.history.locator('ol.opened').waitFor();
  await eventually(async () => expect(await hers.texts()).toEqual(await his.texts()));
});
