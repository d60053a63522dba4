import { expect, test } from 'vitest';
import { eventually, somebody } from './support/stage';

test('both tabs show the same over one connection, and one goes on when the other is closed', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const [first, his] = [mina.device.main, john.device.main];
  await first.open('John');
  await his.open('مینا');
  const second = await mina.device.tab();
  await second.page.goto(mina.device.url);
  await second.open('John');

  await his.say('hello, both of you');
  for (const tab of [first, second]) await tab.message('hello, both of you').waitFor();
  await second.say('از برگهٔ دوم');
  await first.say('از برگهٔ نخست');
  for (const tab of [first, second, his]) {
    await tab.message('از برگهٔ نخست').waitFor();
    await eventually(async () => expect(await tab.texts()).toEqual(['hello, both of you', 'از برگهٔ دوم', 'از برگهٔ نخست']));
  }
  expect(mina.device.sockets, 'connections of two tabs').toBe(1);

  // The tab that came first has the connection; it goes.
  await first.page.close();
  await his.say('and now?');
  await second.message('and now?').waitFor();
  await second.say('هنوز هستم');
  await second.mark('هنوز هستم', 'read').waitFor();
  await eventually(async () => {
    const expected = ['hello, both of you', 'از برگهٔ دوم', 'از برگهٔ نخست', 'and now?', 'هنوز هستم'];
    expect(await second.texts()).toEqual(expected);
    expect(await his.texts()).toEqual(expected);
  });
  expect(mina.device.sockets, 'connections of the tab that is left').toBe(1);
});
