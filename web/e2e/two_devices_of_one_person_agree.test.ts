import { expect, test } from 'vitest';
import { device, eventually, somebody } from './support/stage';
import { WORDS } from './support/words';

const { fa, en } = WORDS;

test('messages, read marks and drafts of what was read agree on both devices; one signs the other out', async () => {
  const mina = await somebody('مینا');
  const phone = await device({ size: 'phone', language: 'en' });
  await phone.signIn(mina.person.handle);
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const [desk, pocket, his] = [mina.device.main, phone.main, john.device.main];
  await his.open('مینا');
  for (const text of ['one', 'two', 'three']) await his.say(text);
  await desk.row('John').getByText('۳', { exact: true }).waitFor();
  await pocket.row('John').getByText('3', { exact: true }).waitFor();

  // Read on one, read on the other; and he sees it.
  await desk.open('John');
  await desk.message('three').waitFor();
  await pocket.row('John').locator('.badge').waitFor({ state: 'detached' });
  await his.mark('three', 'read').waitFor();

  await desk.say('از میز');
  await pocket.open('John');
  await pocket.message('از میز').waitFor();
  await pocket.composer.fill('from the pocket');
  await pocket.page.getByRole('button', { name: en.chat.send, exact: true }).click();
  for (const tab of [desk, pocket, his]) {
    await eventually(async () => expect(await tab.texts()).toEqual(['one', 'two', 'three', 'از میز', 'from the pocket']));
  }
  for (const tab of [desk, pocket]) await tab.mark('from the pocket', 'read').waitFor();

  // The list of devices shows both by what they are; the other one can be signed out.
  await mina.device.visit('#/settings');
  const devices = desk.page.getByRole('region', { name: fa.settings.devices });
  const others = devices.getByRole('button', { name: fa.settings.revoke, exact: true });
  await others.first().waitFor();
  // The account was made over the API: that is a device too.
  expect(await others.count()).toBe(2);
  for (let left = 2; left > 0; left--) {
    await others.first().click();
    await desk.page.getByRole('dialog').getByRole('button', { name: fa.settings.revoke, exact: true }).click();
    await eventually(async () => expect(await others.count()).toBe(left - 1));
  }
  await pocket.page.locator('#password').waitFor();
});
