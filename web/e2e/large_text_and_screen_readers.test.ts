import { expect, test } from 'vitest';
import { Person } from './support/people';
import { device, eventually, url } from './support/stage';
import { WORDS } from './support/words';

const { fa } = WORDS;

async function chat() {
  const [mina, john] = [await Person.register(url(), 'مینا'), await Person.register(url(), 'John Appleseed')];
  const id = await mina.direct(john);
  await john.say(id, 'a line of his');
  await mina.say(id, 'خطی از من');
  const gone = await john.say(id, 'a line that goes');
  await john.call('delete', { chat_id: id, seq: gone });
  const phone = await device({ size: 'phone' });
  await phone.signIn(mina.handle);
  await phone.main.open('John Appleseed');
  return { john, id, phone, tab: phone.main };
}

test('at twice the text size a narrow phone still shows the name, and has room to write', async () => {
  const { phone, tab } = await chat();
  await phone.page.evaluate(() => (document.documentElement.style.fontSize = '200%'));
  const box = async (selector: string) => (await phone.page.locator(selector).first().boundingBox())!;
  const name = await box('section.chat header h1');
  expect(name.width).toBeGreaterThan(70);
  const avatar = await box('section.chat header .avatar');
  const call = (await phone.page.getByRole('button', { name: fa.chat.call, exact: true }).boundingBox())!;
  expect(avatar.x > call.x + call.width || call.x > avatar.x + avatar.width, 'the face covers no button').toBe(true);
  expect((await tab.composer.boundingBox())!.width).toBeGreaterThan(140);
  expect(await phone.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await tab.say('با حروف درشت');
  await tab.message('با حروف درشت').waitFor();
});

test('whoever hears the messages hears who wrote each, and of a deleted one nothing more', async () => {
  const { john, id, tab } = await chat();
  const heard = async (): Promise<string[]> => tab.history.locator('li.message').allTextContents().then((all) => all.map((text) => text.replace(/\s+/g, ' ').trim()));
  const all = await heard();
  expect(all[0]).toContain('John Appleseed: a line of his');
  expect(all[1]).toContain(`${fa.common.you}: خطی از من`);
  expect(all[2]).toContain(`John Appleseed: ${fa.chat.deleted}`);
  // What comes is read out once, and does not stand there for ever.
  const live = tab.page.locator('.frame > [aria-live]');
  const seq = await john.say(id, 'read this aloud');
  await eventually(async () => expect(await live.textContent()).toBe('John Appleseed: read this aloud'));
  await john.call('delete', { chat_id: id, seq });
  await eventually(async () => expect(await live.textContent()).toBe(''));
});
