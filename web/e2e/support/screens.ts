// Every screen of the app and how one gets there: what axe looks at, and what the pictures show.
import type { Locator } from 'playwright-core';
import type { Device, Tab } from './browser';
import { expect } from 'vitest';
import { noise, paste, send, sheet } from './files';
import { scene } from './scenes';
import type { seed } from './seed';
import { eventually } from './stage';

export type World = Awaited<ReturnType<typeof seed>>;

export interface Screen {
  name: string;
  /** Before anybody has signed in. */
  outside?: boolean;
  go(device: Device, tab: Tab, world: World): Promise<void>;
}

const chatOf =
  (which: keyof World['chats']) =>
  async (device: Device, tab: Tab, world: World): Promise<void> => {
    await device.visit(`#/chat/${world.chats[which]}`);
    await tab.history.locator('ol.opened').waitFor();
    await tab.history.locator('li').last().waitFor();
  };
const sara = chatOf('saraChat');
const family = chatOf('family');
const files = async (device: Device, tab: Tab, world: World): Promise<void> => {
  await chatOf('filesChat')(device, tab, world);
  await device.page.locator('.place, .tile').first().waitFor();
  await tab.history.evaluate((box) => box.scrollTo(0, 0));
  await tab.history.locator('.tile img.loaded').first().waitFor();
};

/** Every picture that is on the screen has come. */
export async function calm({ page }: Tab): Promise<void> {
  await page.waitForFunction(() => {
    const seen = (it: Element): boolean => {
      const { top, bottom } = it.getBoundingClientRect();
      return bottom > 60 && top < innerHeight - 60;
    };
    return [...document.querySelectorAll('.tile, .round')].filter(seen).every((it) => [...it.querySelectorAll('img')].some((image) => image.complete && image.naturalWidth > 0));
  });
}

/** All of some pictures are there. */
async function loaded(images: Locator, count: number): Promise<void> {
  await images.nth(count - 1).waitFor();
  await images.evaluateAll((all) => Promise.all(all.map((it) => (it as HTMLImageElement).decode())));
}

/** The panel of stickers under the composer. */
async function stickers(device: Device, tab: Tab, world: World): Promise<void> {
  await chatOf('stickerChat')(device, tab, world);
  await device.page.getByRole('button', { name: tab.words.chat.emoji, exact: true }).click();
  await device.page.getByRole('radio', { name: tab.words.stickers.title, exact: true }).check({ force: true });
  await device.page.getByRole('tablist').waitFor();
}

/** On a wide screen it may be open already: it stays, from chat to chat. */
async function openInfo(device: Device, tab: Tab): Promise<void> {
  if (!(await tab.info.isVisible())) await device.page.locator('section.chat header .who').click();
  await tab.info.waitFor();
}

async function members(device: Device, tab: Tab, world: World): Promise<void> {
  await family(device, tab, world);
  await openInfo(device, tab);
  await tab.info.getByText(tab.words.members.title, { exact: true }).waitFor();
}

/** What is offered by the button with the clip, and what was chosen of it. */
async function attaching(device: Device, tab: Tab, what?: string): Promise<void> {
  await device.page.getByRole('button', { name: tab.words.media.attach, exact: true }).click();
  await device.page.getByRole('menuitem', { name: tab.words.media.contact, exact: true }).waitFor();
  if (what !== undefined) await tab.menuItem(what).click();
}

/** On a phone the list is hidden behind the chat; everywhere else it stands beside it. */
async function newChat(device: Device, tab: Tab): Promise<Locator> {
  await device.visit('#/');
  await tab.list.getByRole('button', { name: tab.words.list.newChat, exact: true }).click();
  const dialog = tab.dialog(tab.words.list.newChat);
  await dialog.waitFor();
  return dialog;
}

export const SCREENS: Screen[] = [
  {
    name: 'sign-up',
    outside: true,
    go: async (device) => {
      await device.visit();
      await device.page.locator('#name').waitFor();
    },
  },
  {
    name: 'sign-up-refused',
    outside: true,
    go: async (device, tab) => {
      await device.visit();
      await device.page.locator('#name').fill('مینا');
      await device.page.locator('#name').press('Enter');
      await device.page.locator('#handle').fill('no');
      await device.page.getByRole('button', { name: tab.words.auth.next, exact: true }).click();
      await device.page.getByRole('alert').waitFor();
    },
  },
  {
    name: 'sign-up-password',
    outside: true,
    go: async (device, tab) => {
      await device.visit();
      for (const [field, value] of [['#name', 'مینا'], ['#handle', 'mina_1405']] as const) {
        await device.page.locator(field).fill(value);
        await device.page.locator(field).press('Enter');
      }
      await device.page.locator('#password').waitFor();
      await device.page.getByText(tab.words.auth.passwordWhy).waitFor();
    },
  },
  {
    name: 'sign-in',
    outside: true,
    go: async (device, tab) => {
      await device.visit();
      await device.page.getByRole('button', { name: tab.words.auth.signIn, exact: true }).click();
      await device.page.locator('#name').waitFor({ state: 'detached' });
    },
  },
  {
    name: 'list',
    go: async (device, tab) => {
      await device.visit('#/');
      await tab.row('خانواده').waitFor();
    },
  },
  {
    name: 'search-finds-nothing',
    go: async (device, tab) => {
      await device.visit('#/');
      await tab.list.getByRole('searchbox').fill('nobody_of_this_name');
      await tab.list.getByText(tab.words.list.none).waitFor();
    },
  },
  { name: 'chat', go: sara },
  { name: 'chat-unread', go: chatOf('amirChat') },
  { name: 'chat-ltr', go: chatOf('johnChat') },
  { name: 'group', go: family },
  { name: 'marks', go: chatOf('work') },
  {
    name: 'channel',
    go: async (device, tab, world) => {
      await chatOf('news')(device, tab, world);
      await device.page.getByText(tab.words.chat.readOnly).waitFor();
    },
  },
  {
    name: 'message-menu',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await tab.message('4821-IR').locator('.content').first().click({ button: 'right', position: { x: 40, y: 10 } });
      await device.page.getByRole('menu').first().waitFor();
    },
  },
  {
    name: 'message-menu-long',
    go: async (device, tab, world) => {
      await chatOf('work')(device, tab, world);
      await tab.message('یک پاراگراف بلند').locator('.content').last().click({ button: 'right', position: { x: 40, y: 10 } });
      await device.page.getByRole('menu').first().waitFor();
    },
  },
  {
    name: 'reply',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await tab.act('4821-IR', tab.words.chat.reply);
      await device.page.locator('.composer .about').waitFor();
    },
  },
  {
    name: 'edit',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await tab.act('روان است', tab.words.common.edit);
      await device.page.locator('.composer').getByText(tab.words.chat.editing).waitFor();
    },
  },
  {
    name: 'select',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await tab.act('روان است', tab.words.chat.select);
      await device.page.getByText(tab.words.chat.selected(1)).waitFor();
    },
  },
  {
    name: 'delete-question',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await tab.act('روان است', tab.words.common.delete);
      await tab.dialog(tab.words.chat.deleteQuestion(1)).waitFor();
    },
  },
  {
    name: 'emoji',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await device.page.getByRole('button', { name: tab.words.chat.emoji, exact: true }).click();
      await device.page.locator('.picker .cell').first().waitFor();
    },
  },
  {
    name: 'formatting',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await tab.composer.fill('سلام');
      await device.page.getByRole('button', { name: tab.words.format.bar, exact: true }).click();
      await device.page.getByRole('toolbar').waitFor();
    },
  },
  {
    name: 'calendar',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await device.page.getByRole('button', { name: tab.words.common.more, exact: true }).click();
      await tab.menuItem(tab.words.chat.jumpToDate).click();
      await device.page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'calendar-months',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await device.page.getByRole('button', { name: tab.words.common.more, exact: true }).click();
      await tab.menuItem(tab.words.chat.jumpToDate).click();
      await device.page.getByRole('dialog').getByRole('button', { name: tab.words.time.chooseMonth }).click();
      await device.page.getByRole('group', { name: tab.words.time.chooseMonth }).waitFor();
    },
  },
  {
    name: 'about-person',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await openInfo(device, tab);
    },
  },
  {
    name: 'members',
    go: async (device, tab, world) => members(device, tab, world),
  },
  {
    name: 'rights',
    go: async (device, tab, world) => {
      await members(device, tab, world);
      await tab.info.getByRole('button', { name: tab.words.members.everybodysRights }).click();
      await tab.dialog(tab.words.members.everybodysRights).waitFor();
    },
  },
  {
    name: 'admin-rights',
    go: async (device, tab, world) => {
      await members(device, tab, world);
      await tab.info.getByRole('button', { name: tab.words.members.actionsFor(world.sara.name) }).click();
      await tab.menuItem(tab.words.members.adminRights).click();
      await tab.dialog(tab.words.members.adminRightsOf(`\u2068${world.sara.name}\u2069`)).waitFor();
    },
  },
  {
    name: 'restrict',
    go: async (device, tab, world) => {
      await members(device, tab, world);
      await tab.info.getByRole('button', { name: tab.words.members.actionsFor(world.amir.name) }).click();
      await tab.menuItem(tab.words.members.restrict).click();
      await tab.dialog(tab.words.members.restrictTitle(`\u2068${world.amir.name}\u2069`)).waitFor();
    },
  },
  {
    name: 'removed',
    go: async (device, tab, world) => {
      await members(device, tab, world);
      await tab.info.getByRole('button', { name: tab.words.members.banned }).click();
      await tab.dialog(tab.words.members.banned).getByText(world.john.name).waitFor();
    },
  },
  {
    name: 'restricted',
    go: async (device, tab, world) => {
      await chatOf('club')(device, tab, world);
      await device.page.locator('.read-only').waitFor();
    },
  },
  {
    name: 'requests',
    go: async (device, tab) => {
      await device.visit('#/requests');
      await device.page.getByText(tab.words.requests.lead).waitFor();
    },
  },
  {
    name: 'request',
    go: async (device, tab, world) => {
      await chatOf('request')(device, tab, world);
      await device.page.getByText(tab.words.requests.wantsLead).waitFor();
    },
  },
  {
    name: 'report',
    go: async (device, tab, world) => {
      await chatOf('request')(device, tab, world);
      await device.page.getByRole('button', { name: tab.words.people.report, exact: true }).click();
      await device.page.getByText(tab.words.people.reportLead).waitFor();
    },
  },
  {
    name: 'privacy',
    go: async (device, tab) => {
      await device.visit('#/settings');
      await device.page.getByRole('region', { name: tab.words.privacy.title }).scrollIntoViewIfNeeded();
    },
  },
  { name: 'new-chat', go: async (device, tab) => void (await newChat(device, tab)) },
  {
    name: 'new-group',
    go: async (device, tab, world) => {
      const dialog = await newChat(device, tab);
      await dialog.getByRole('button', { name: tab.words.create.group, exact: true }).click();
      await dialog.getByLabel(tab.words.create.title, { exact: true }).fill('هم‌سفران');
      await dialog.getByLabel(tab.words.create.addMember).fill(world.sara.handle);
      await dialog.getByRole('button', { name: tab.words.create.add, exact: true }).click();
      await dialog.getByRole('list', { name: tab.words.create.members }).waitFor();
    },
  },
  {
    name: 'settings',
    go: async (device, tab) => {
      await device.visit('#/settings');
      await device.page.getByText(tab.words.settings.thisDevice, { exact: true }).waitFor();
    },
  },
  {
    name: 'settings-end',
    go: async (device, tab) => {
      await device.visit('#/settings');
      await device.page.getByText(tab.words.settings.thisDevice, { exact: true }).waitFor();
      await device.page.getByText(tab.words.settings.aboutLead).scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'shortcuts',
    go: async (device, tab) => {
      await device.visit('#/settings');
      await device.page.getByRole('button', { name: tab.words.settings.shortcuts }).click();
      await tab.dialog(tab.words.keys.title).waitFor();
    },
  },
  {
    name: 'call-log',
    go: async (device, tab) => {
      await device.visit('#/calls');
      await device.page.getByRole('region', { name: tab.words.call.log }).waitFor();
    },
  },
  {
    name: 'no-such-chat',
    go: async (device, tab) => {
      await device.visit('#/chat/999999999');
      await device.page.getByText(tab.words.errors.chat_not_found).first().waitFor();
    },
  },
  { name: 'files', go: files },
  {
    name: 'files-end',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await tab.history.locator('.place').last().waitFor();
      await tab.history.evaluate((box) => box.scrollTo(0, box.scrollHeight));
    },
  },
  {
    name: 'viewer',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      const open = tab.history.locator('.album .open').first();
      await open.scrollIntoViewIfNeeded();
      await calm(tab);
      await open.click();
      await device.page.locator('.viewer img.loaded').waitFor();
    },
  },
  {
    name: 'attach',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await paste(tab, { ...scene('dusk', 800, 600), name: 'غروب.png' }, { ...scene('portal', 480, 640), name: 'ایوان.png' }, noise('برنامه.pdf', 120_000, 'application/pdf'));
      await sheet(tab, 3).locator('img').nth(1).waitFor();
    },
  },
  {
    name: 'attach-menu',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await attaching(device, tab);
    },
  },
  {
    name: 'place',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await attaching(device, tab, tab.words.media.location);
      const dialog = tab.dialog(tab.words.adding.placeTitle);
      await dialog.getByText(tab.words.adding.placeTrouble.denied).waitFor();
      await dialog.getByRole('textbox').fill('34.6416, 50.8746');
    },
  },
  {
    name: 'contact',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await attaching(device, tab, tab.words.media.contact);
      await tab.dialog(tab.words.adding.contactTitle).getByRole('button', { name: 'نرگس' }).click();
    },
  },
  {
    name: 'round',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await device.context.grantPermissions(['camera', 'microphone'], { origin: device.url });
      await attaching(device, tab, tab.words.media.round);
      await tab.dialog(tab.words.adding.roundTitle).getByRole('button', { name: tab.words.adding.roundStart, exact: true, disabled: false }).waitFor();
    },
  },
  {
    name: 'edit-info',
    go: async (device, tab, world) => {
      await members(device, tab, world);
      await tab.info.getByRole('button', { name: tab.words.members.editInfo }).click();
      await tab.dialog(tab.words.members.editInfo).waitFor();
    },
  },
  {
    name: 'record',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await device.page.getByRole('button', { name: tab.words.media.record, exact: true }).click();
      await device.page.locator('.recorder .live').waitFor();
      await device.page.locator('.recorder .wave span').nth(20).waitFor({ state: 'attached' });
    },
  },
  {
    name: 'record-listen',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await device.page.getByRole('button', { name: tab.words.media.record, exact: true }).click();
      await device.page.getByRole('timer').getByText(/[1-9۱-۹١-٩]/).waitFor();
      await device.page.getByRole('button', { name: tab.words.media.recordStop, exact: true }).click();
      await device.page.getByRole('button', { name: tab.words.media.recordPlay, exact: true }).waitFor();
    },
  },
  {
    name: 'microphone-refused',
    go: async (device, tab, world) => {
      await device.visit('#/');
      await files(device, tab, world);
      await device.page.evaluate(() => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))));
      await device.page.getByRole('button', { name: tab.words.media.record, exact: true }).click();
      await device.page.getByRole('alert').getByText(tab.words.media.microphoneDenied).waitFor();
    },
  },
  {
    name: 'attach-one',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await paste(tab, { ...scene('portal', 480, 640), name: 'ایوان.png' });
      await sheet(tab, 1).locator('img').waitFor();
    },
  },
  {
    name: 'attach-refused',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await device.page.evaluate(() => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(53e6)], 'huge.png', { type: 'image/png' }));
        document.querySelector('textarea')?.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
      });
      await sheet(tab, 1).getByRole('alert').waitFor();
    },
  },
  {
    name: 'uploading',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await device.context.route(/\/files(\/[^/]*)?$/, async (route) => {
        // The network has taken the first piece of the large one, and then nothing more.
        const { 'upload-length': length } = route.request().headers();
        if (Number(length) > 1e6 || !['POST', 'PATCH'].includes(route.request().method())) await route.continue();
      });
      await paste(tab, { ...scene('hills', 640, 480), name: 'کوه.png' }, { ...scene('desert', 640, 480), name: 'راه.png' });
      await send(tab, 2);
      await paste(tab, noise('عکس‌های اصلی.zip', 3_000_000, 'application/zip'));
      await send(tab, 1);
      await tab.history.locator('.document .ring').waitFor();
      await tab.history.locator('.album .ring').first().waitFor();
    },
  },
  {
    name: 'files-middle',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await tab.history.locator('.voice').first().scrollIntoViewIfNeeded();
      await tab.history.evaluate((box) => box.scrollBy(0, 120));
    },
  },
  {
    name: 'crop',
    go: async (device, tab) => {
      await device.visit('#/settings');
      await device.page.getByText(tab.words.settings.thisDevice, { exact: true }).waitFor();
      const given = scene('portal', 480, 640);
      const [chooser] = await Promise.all([device.page.waitForEvent('filechooser'), device.page.getByRole('button', { name: tab.words.media.choosePicture }).click()]);
      await chooser.setFiles(given);
      await tab.dialog(tab.words.media.crop).waitFor();
    },
  },
  {
    name: 'media-settings',
    go: async (device, tab) => {
      await device.visit('#/settings');
      await device.page.getByRole('region', { name: tab.words.media.settings }).scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'player',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await tab.history.locator('.voice .play').first().click();
      await device.page.locator('section.player').waitFor();
    },
  },
  {
    name: 'shared',
    go: async (device, tab, world) => {
      await files(device, tab, world);
      await openInfo(device, tab);
      await tab.info.getByRole('button', { name: tab.words.media.shared, exact: true }).click();
      await tab.dialog(tab.words.media.shared).locator('.grid img').first().waitFor();
    },
  },
  {
    name: 'stickers',
    go: async (device, tab, world) => {
      await stickers(device, tab, world);
      await device.page.getByRole('tab', { name: 'خنده‌ها', exact: true }).click();
      await loaded(device.page.getByRole('tabpanel').locator('img'), 4);
    },
  },
  {
    name: 'stickers-recent',
    go: async (device, tab, world) => {
      await stickers(device, tab, world);
      await loaded(device.page.getByRole('tabpanel').locator('img'), 3);
    },
  },
  {
    name: 'sticker-pack',
    go: async (device, tab, world) => {
      await chatOf('stickerChat')(device, tab, world);
      await tab.history.locator('.sticker button').last().click();
      await loaded(tab.dialog('خنده‌ها').locator('img'), 5);
    },
  },
  {
    name: 'sticker-edit',
    go: async (device, tab, world) => {
      await chatOf('stickerChat')(device, tab, world);
      await tab.history.locator('.sticker button').last().click();
      await tab.dialog('خنده‌ها').getByRole('button', { name: tab.words.stickers.edit, exact: true }).click();
      await loaded(tab.dialog(tab.words.stickers.edit).locator('li img'), 4);
    },
  },
  {
    name: 'offline',
    go: async (device, tab, world) => {
      await sara(device, tab, world);
      await device.context.setOffline(true);
      await tab.band(tab.words.net.offline).waitFor();
      await tab.say('این پیام منتظر شبکه است');
      await tab.mark('این پیام منتظر شبکه است', 'waiting').waitFor();
    },
  },
];

/** Goes to a screen from whatever stands there: each begins with a page of its own, so that no dialog is left over. */
export async function show(screen: Screen, device: Device, world: World): Promise<void> {
  await device.page.goto('about:blank');
  await screen.go(device, device.main, world);
}

/** Leaves a screen as the next one wants to find it. */
export async function leave(screen: Screen, device: Device): Promise<void> {
  const tab = device.main;
  // What was begun is kept: an answer, or an edit, would be there again on the next screen.
  if (screen.name === 'reply' || screen.name === 'edit') {
    await device.page.locator('.composer .about').getByRole('button', { name: tab.words.common.cancel, exact: true }).click();
    await device.page.locator('.composer .about').waitFor({ state: 'detached' });
  }
  if (screen.name === 'uploading') {
    for (const count of [1, 0]) {
      await tab.history.getByRole('button', { name: tab.words.media.cancel }).first().click();
      await eventually(async () => expect(await tab.history.locator('.document .ring, .album').count()).toBeLessThanOrEqual(count + 1));
    }
    await device.context.unroute(/\/files(\/[^/]*)?$/);
  }
  if (['attach-menu', 'place', 'contact', 'round'].includes(screen.name)) {
    await device.page.keyboard.press('Escape');
    await device.page.locator('dialog[open]').waitFor({ state: 'detached' });
  }
  if (screen.name === 'shared') await device.page.keyboard.press('Escape');
  if (screen.name === 'player') await device.page.locator('section.player').getByRole('button', { name: tab.words.common.close, exact: true }).click();
  // The next one looks for emoji.
  if (screen.name.startsWith('stickers')) await device.page.getByRole('radio', { name: tab.words.emoji.title, exact: true }).check({ force: true });
  if (screen.name === 'formatting') await tab.composer.fill('');
  if (['edit-info', 'rights', 'admin-rights', 'restrict', 'removed'].includes(screen.name)) {
    await device.page.keyboard.press('Escape');
    await tab.info.waitFor();
  }
  if (['about-person', 'shared', 'members', 'edit-info', 'rights', 'admin-rights', 'restrict', 'removed'].includes(screen.name)) await tab.info.getByRole('button', { name: tab.words.common.close, exact: true }).click();
  if (screen.name !== 'offline') return;
  await device.context.setOffline(false);
  await tab.message('این پیام منتظر شبکه است').getByRole('img', { name: tab.words.chat.sent, exact: true }).waitFor();
  await tab.act('این پیام منتظر شبکه است', tab.words.common.delete);
  await device.page.getByRole('dialog').getByRole('button', { name: tab.words.deletion.forAll, exact: true }).click();
  await tab.message('این پیام منتظر شبکه است').waitFor({ state: 'detached' });
}

/** The screens of a call that Sara makes to Mina, on Mina's device. */
export async function callScreens(mina: Device, sara: Device, world: World, look: (name: string) => Promise<void>): Promise<void> {
  const tab = mina.main;
  const { call } = tab.words;
  await mina.page.goto('about:blank');
  await mina.visit(`#/chat/${world.chats.saraChat}`);
  await tab.history.locator('ol.opened').waitFor();
  await sara.visit(`#/chat/${world.chats.saraChat}`);
  await sara.page.getByRole('button', { name: sara.words.chat.call, exact: true }).click();
  const ringing = tab.dialog(call.incoming(`\u2068${world.sara.name}\u2069`));
  await ringing.waitFor();
  await look('call-ringing');
  await ringing.getByRole('button', { name: call.answer, exact: true }).click();
  const talking = tab.dialog(`${call.title}: ${world.sara.name}`);
  const emoji = talking.getByRole('button', { name: call.key });
  await emoji.waitFor();
  await talking.getByText(call.quality.good).waitFor();
  await look('call');
  await emoji.click();
  await talking.getByText(call.emojiLead).waitFor();
  await look('call-compare');
  await emoji.click();
  await talking.getByRole('button', { name: call.devices, exact: true }).click();
  await talking.getByText(call.microphone, { exact: true }).first().waitFor();
  await look('call-devices');
  await talking.getByRole('button', { name: call.minimise, exact: true }).click();
  await mina.page.getByRole('button', { name: call.expand }).waitFor();
  await look('call-bar');
  await sara.page.getByRole('dialog').getByRole('button', { name: sara.words.call.hangUp, exact: true }).click();
  await tab.dialog(call.rateTitle).getByRole('radio', { name: call.rateStars(3), exact: true }).check({ force: true });
  await look('call-rating');
  await tab.dialog(call.rateTitle).getByRole('button', { name: call.rateSkip, exact: true }).click();
}
