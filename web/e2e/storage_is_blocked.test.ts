import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { launchAlone } from './support/browser';
import { handle } from './support/people';
import { device, somebody } from './support/stage';
import { WORDS } from './support/words';

const fa = WORDS.fa;

/** A browser that keeps no site's data: cookies and all storage are blocked in its settings. */
async function withoutStorage() {
  const folder = mkdtempSync(join(tmpdir(), 'chapar-profile-'));
  mkdirSync(join(folder, 'Default'));
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences));
  const context = await launchAlone(folder);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return device({ context });
}

test('a browser that gives no storage: the app works, and says that it keeps nothing', async () => {
  const mina = await withoutStorage();
  await mina.visit();
  // It is really blocked, not a pretence.
  expect(
    await mina.page.evaluate(() => {
      try {
        return String(localStorage.length);
      } catch (error) {
        return (error as Error).name;
      }
    }),
  ).toBe('SecurityError');
  await mina.signUp(handle('private'), 'مینا');
  const hers = mina.main;
  await hers.band(fa.net.noStorage).waitFor();

  const john = await somebody('John', { language: 'en' });
  await hers.list.getByRole('searchbox').fill(john.person.handle);
  await hers.list.getByRole('button', { name: fa.list.findPublic(john.person.handle) }).click();
  await hers.page.getByRole('heading', { name: 'John' }).waitFor();
  await hers.say('سلام از پنجرهٔ خصوصی');
  await hers.mark('سلام از پنجرهٔ خصوصی', 'sent').waitFor();
  const his = john.device.main;
  // To him she is a stranger: she asks first.
  await his.list.getByRole('link', { name: his.words.list.requests }).click();
  await his.page.getByRole('region', { name: his.words.list.requests }).getByRole('link').click();
  await his.page.getByRole('button', { name: his.words.requests.accept, exact: true }).click();
  await his.composer.waitFor();
  await his.say('I hear you');
  await hers.message('I hear you').waitFor();
  await hers.band(fa.net.noStorage).getByRole('button', { name: fa.common.close, exact: true }).click();
  await hers.band(fa.net.noStorage).waitFor({ state: 'detached' });

  // Nothing was kept: the next visit begins anew, without an error.
  await hers.page.reload();
  await hers.page.locator('#name').waitFor();
});
