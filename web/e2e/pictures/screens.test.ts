// Pictures of every screen at three sizes, in three languages and two themes, in web/screenshots (not kept in git).
// A dozen that speak for the rest go to docs/screenshots when KEEP_SCREENSHOTS is set. ONLY, a regular expression, filters by name.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, inject, test } from 'vitest';
import { SIZES } from '../support/browser';
import { callScreens, calm, leave, SCREENS, show } from '../support/screens';
import { EVENING, seed, stageDay } from '../support/seed';
import { device, url } from '../support/stage';
import { murmur } from '../support/wav';
import type { Language } from '../support/words';

const FOLDER = fileURLToPath(new URL('../../screenshots/', import.meta.url));
const KEPT_FOLDER = fileURLToPath(new URL('../../../docs/screenshots/', import.meta.url));
const KEPT = [
  'sign-up-phone-fa-light',
  'list-phone-fa-light',
  'chat-phone-fa-light',
  'chat-phone-fa-dark',
  'message-menu-phone-fa-light',
  'emoji-phone-fa-dark',
  'chat-desktop-fa-light',
  'chat-desktop-fa-dark',
  'group-desktop-en-light',
  'chat-tablet-fa-light',
  'calendar-phone-fa-light',
  'settings-phone-en-dark',
  'call-phone-fa-light',
  'call-ringing-desktop-fa-light',
  'list-phone-en-dark',
  'group-phone-fa-dark',
  'chat-desktop-en-dark',
  'group-desktop-fa-light',
  'files-phone-fa-light',
  'files-middle-phone-fa-dark',
  'files-desktop-fa-light',
  'files-desktop-en-dark',
  'viewer-desktop-fa-light',
  'attach-phone-fa-light',
  'record-phone-fa-light',
  'uploading-phone-en-dark',
  'shared-phone-fa-light',
  'crop-phone-fa-dark',
];
const only = process.env.ONLY ?? '';
/** `KEEP_SCREENSHOTS=only`: just those that are kept. */
const keptOnly = process.env.KEEP_SCREENSHOTS === 'only';
let series = 0;

beforeAll(() => {
  process.env.MICROPHONE = `${FOLDER}microphone.wav`;
  mkdirSync(FOLDER, { recursive: true });
  mkdirSync(KEPT_FOLDER, { recursive: true });
  writeFileSync(process.env.MICROPHONE, murmur(20));
});

for (const size of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
  for (const language of ['fa', 'en', 'ar'] as Language[]) {
    for (const theme of ['light', 'dark'] as const) {
      const suffix = `${size}-${language}-${theme}`;
      const wanted = SCREENS.filter(({ name }) => new RegExp(only).test(`${name}-${suffix}`) && (!keptOnly || KEPT.includes(`${name}-${suffix}`)));
      const calls = keptOnly ? only === '' && KEPT.some((name) => name.startsWith('call') && name.endsWith(suffix) && !name.startsWith('calendar')) : only === '' || 'call'.includes(only) || only.startsWith('call-') || suffix.includes(only);
      test.skipIf(wanted.length === 0 && !calls)(suffix, async () => {
        // People of their own: what one series of pictures does is not seen in the next.
        const turn = series++;
        const world = await seed(url(), (name) => (turn === 0 ? name : `${name}${60 + turn}`));
        const mina = await device({ size, language, theme });
        // She is online all the while, so that somebody is.
        const sara = await device({ language: 'en' });
        await sara.signIn(world.sara.handle);
        const shoot = async (screen: string): Promise<void> => {
          const name = `${screen}-${suffix}`;
          await calm(mina.main);
          await mina.page.evaluate(() => document.fonts.ready.then(() => undefined));
          await mina.page.screenshot({ path: `${FOLDER}${name}.png`, animations: 'disabled', caret: 'hide' });
          if (process.env.KEEP_SCREENSHOTS && KEPT.includes(name)) copyFileSync(`${FOLDER}${name}.png`, `${KEPT_FOLDER}${name}.png`);
        };
        // An evening like any other, and not the minute in which all of it was made.
        stageDay(inject('folder'), world);
        await mina.context.clock.setFixedTime(EVENING);
        let inside = false;
        for (const screen of wanted) {
          if (!screen.outside && !inside) {
            await mina.signIn(world.mina.handle);
            inside = true;
          }
          await show(screen, mina, world);
          // Somebody writes, where one would see it.
          const writes = { list: world.chats.family, group: world.chats.family, chat: world.chats.johnChat }[screen.name];
          if (writes !== undefined) {
            const writer = screen.name === 'chat' ? world.john : world.reza;
            await writer.call('set_typing', { chat_id: writes });
            if (screen.name !== 'chat' || size !== 'phone') await mina.page.getByText(/می‌نویسد|typing|يكتب/).filter({ visible: true }).first().waitFor();
          }
          await shoot(screen.name);
          await leave(screen, mina);
        }
        if (!calls) return;
        if (!inside) await mina.signIn(world.mina.handle);
        await callScreens(mina, sara, world, async (screen) => {
          // They have talked for a while.
          if (screen === 'call') {
            await mina.context.clock.setFixedTime(new Date(EVENING.getTime() + 277_000));
            await mina.page.waitForTimeout(1_200);
          }
          await shoot(screen);
        });
      }, 600_000);
    }
  }
}
