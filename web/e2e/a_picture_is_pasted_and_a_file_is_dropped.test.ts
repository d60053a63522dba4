import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { drop, loaded, noise, paste, picture, send, sheet } from './support/files';
import { eventually, somebody } from './support/stage';

test('a picture is pasted, a file is dropped, and the other one sees the picture and saves the file as it was', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open('مینا');

  // What stood in the field goes under the picture.
  await hers.composer.fill('صحن **انقلاب**');
  await paste(hers, picture('shrine.png', 640, 480));
  await sheet(hers, 1).getByRole('textbox', { name: hers.words.media.caption }).waitFor();
  await send(hers, 1);
  expect(await hers.composer.inputValue()).toBe('');
  await his.message('صحن انقلاب').waitFor();
  await eventually(async () => expect(await loaded(his)).toBe(1));
  await eventually(async () => expect(await loaded(hers)).toBe(1));
  // It has its shape before anything of it is there, and is not larger than the screen needs.
  const shape = await his.history.locator('.drawn').evaluate((box) => {
    const { width, height } = box.getBoundingClientRect();
    return width / height;
  });
  expect(shape).toBeCloseTo(4 / 3, 1);
  expect(await his.history.locator('.tile img').evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeLessThanOrEqual(800);
  await hers.mark('صحن انقلاب', 'read').waitFor();

  const file = noise('گزارش ‮fdp.exe', 300_000, 'application/pdf');
  await drop(hers, file);
  await send(hers, 1);
  const open = his.history.getByRole('button', { name: /گزارش/ });
  await open.waitFor();
  await eventually(async () => expect(await open.isEnabled()).toBe(true));
  const [download] = await Promise.all([his.page.waitForEvent('download'), open.click()]);
  expect(readFileSync(await download.path()).equals(file.buffer)).toBe(true);
  expect(download.suggestedFilename()).not.toContain('‮');

  // Words that were copied out of a document come with a picture of them: the words are meant.
  await hers.composer.evaluate((field) => {
    const data = new DataTransfer();
    data.setData('text/plain', 'only words');
    field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  });
  expect(await sheet(hers, 1).count()).toBe(0);
});

test('what is too large is said before it is sent, with what to do', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John');
  await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  // More than 50 MiB of a picture are too much; as a file they are not.
  await hers.page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(53e6)], 'huge.png', { type: 'image/png' }));
    document.querySelector('textarea')?.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  });
  const dialog = sheet(hers, 1);
  await dialog.getByRole('alert').waitFor();
  expect(await dialog.getByRole('alert').innerText()).toContain('huge.png');
  expect(await dialog.getByRole('button', { name: hers.words.chat.send }).isDisabled()).toBe(true);
  await dialog.getByRole('switch', { name: hers.words.media.asFile }).click();
  await eventually(async () => expect(await dialog.getByRole('alert').count()).toBe(0));
});
