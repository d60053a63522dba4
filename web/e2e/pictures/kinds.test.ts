// Looked at while it is made; not kept.
import { test } from 'vitest';
import { mkdirSync } from 'node:fs';
import { picture } from '../support/files';
import { device, url } from '../support/stage';
import { Person, handle } from '../support/people';

const OUT = '/tmp/kinds-shots/';
mkdirSync(OUT, { recursive: true });
for (const [language, theme, size] of [['fa', 'light', 'phone'], ['en', 'dark', 'desktop'], ['ar', 'dark', 'phone'], ['fa', 'light', 'desktop']] as const) {
  test(`${language} ${theme} ${size}`, async () => {
    const suffix = `${language}-${theme}-${size}.png`;
    const mina = await Person.register(url(), 'مینا صادقی', handle('m'));
    const john = await Person.register(url(), 'John Carter', handle('j'));
    const sara = await Person.register(url(), 'سارا کریمی', handle('s'));
    const chat = await mina.direct(john);
    await mina.direct(sara);
    const group = await mina.create('group', 'سفر نوروز', [john, sara]);
    await mina.call('set_info', { chat_id: group, description: 'قرار: ساعت هشت', photo: await mina.upload('avatar', picture('g.png', 400, 400, [[240, 180, 90], [30, 60, 120]])) });
    await sara.call('set_avatar', { file_id: await sara.upload('avatar', picture('s.png', 400, 400, [[90, 180, 90], [200, 60, 120]])) });
    await john.say(chat, 'کجایی؟');
    for (const body of [{ kind: 'location', latitude: 34.641589, longitude: 50.874608, accuracy_m: 230 }, { kind: 'contact', name: 'سارا کریمی', phone: '+982537740000', user_id: sara.id }]) await mina.give(chat, body as never);
    const d = await device({ language, theme, size });
    const tab = d.main;
    const shoot = async (name: string) => {
      await d.page.evaluate(() => document.fonts.ready.then(() => undefined));
      await d.page.waitForTimeout(400);
      await d.page.screenshot({ path: `${OUT}${name}-${suffix}`, animations: 'disabled' });
    };
    await d.context.grantPermissions(['geolocation', 'camera', 'microphone'], { origin: d.url });
    await d.context.setGeolocation({ latitude: 34.641589, longitude: 50.874608, accuracy: 23.4 });
    await d.signIn(mina.handle);
    await shoot('list');
    await tab.open('John Carter');
    await tab.history.locator('.place').last().waitFor();
    await shoot('chat');
    const open = async (what: string) => {
      await d.page.getByRole('button', { name: tab.words.media.attach, exact: true }).click();
      await tab.menuItem(what).waitFor();
    };
    await open(tab.words.media.location);
    await shoot('menu');
    await tab.menuItem(tab.words.media.location).click();
    await tab.dialog(tab.words.adding.placeTitle).getByText(/24|۲۴/).first().waitFor();
    await shoot('place');
    await d.page.keyboard.press('Escape');
    await open(tab.words.media.contact);
    await tab.menuItem(tab.words.media.contact).click();
    await tab.dialog(tab.words.adding.contactTitle).getByRole('button', { name: 'سارا' }).click();
    await shoot('contact');
    await d.page.keyboard.press('Escape');
    await open(tab.words.media.round);
    await tab.menuItem(tab.words.media.round).click();
    await tab.dialog(tab.words.adding.roundTitle).getByRole('button', { name: tab.words.adding.roundStart }).click();
    await d.page.waitForTimeout(3000);
    await shoot('record');
    await tab.dialog(tab.words.adding.roundTitle).getByRole('button', { name: tab.words.chat.send, exact: true }).click();
    await tab.history.locator('.round video').waitFor();
    await d.page.waitForTimeout(1500);
    await shoot('round');
    await tab.history.locator('.round button').first().click();
    await d.page.waitForTimeout(1200);
    await shoot('round-aloud');
    await d.visit(`#/chat/${group}`);
    await tab.history.locator('ol.opened').waitFor();
    if (!(await tab.info.isVisible())) await d.page.locator('section.chat header .who').click();
    await tab.info.waitFor();
    await shoot('info');
    await tab.info.getByRole('button', { name: tab.words.members.editInfo }).click();
    await shoot('edit');
  });
}
