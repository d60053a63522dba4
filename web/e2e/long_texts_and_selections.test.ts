import { expect, test } from 'vitest';
import { Person } from './support/people';
import { eventually, somebody, url } from './support/stage';

test('what is selected over several messages is copied as it was written, without empty lines between', async () => {
  const { device, person: me } = await somebody('رها');
  const { main, page } = device;
  const friend = await Person.register(url(), 'نیما');
  const chat = await friend.direct(me);
  for (const text of ['سلام، خوبی؟', 'The first line\n\nthe third line', 'پایان']) await friend.say(chat, text);
  await main.open('نیما');
  await main.message('پایان').waitFor();
  const select = (from: number, fromAt: number, to: number, toAt: number): Promise<void> =>
    page.evaluate(
      ([first, firstAt, end, endAt]) => {
        const texts = (content: Element): Node[] => {
          const walk = document.createTreeWalker(content, NodeFilter.SHOW_TEXT);
          const found: Node[] = [];
          for (let node = walk.nextNode(); node; node = walk.nextNode()) if (node.nodeValue?.trim()) found.push(node);
          return found;
        };
        const contents = [...document.querySelectorAll('li.message .content')];
        getSelection()!.setBaseAndExtent(texts(contents[first]!)[0]!, firstAt, texts(contents[end]!).at(-1)!, endAt);
      },
      [from, fromAt, to, toAt] as const,
    );
  const copied = async (): Promise<string> => {
    await page.keyboard.press('Control+C');
    return page.evaluate(() => navigator.clipboard.readText());
  };
  await page.locator('section.box').focus();
  await select(0, 0, 2, 5);
  await eventually(async () => expect(await copied()).toBe('سلام، خوبی؟\nThe first line\n\nthe third line\nپایان'));
  await select(1, 4, 1, 9);
  await eventually(async () => expect(await copied()).toBe('first line\n\nthe third'));
});

test('a text that is too long for one message goes out as several, if one wishes, in order and with nothing lost', async () => {
  const { device, person: me } = await somebody('رها');
  const { main, page, words } = device;
  const friend = await Person.register(url(), 'نیما');
  const chat = await friend.direct(me);
  await main.open('نیما');
  const paragraph = (at: number): string => `بند ${at}. ${'واژه‌ای از یک نامهٔ دراز '.repeat(60)}`.trim();
  const letter = Array.from({ length: 6 }, (_, at) => paragraph(at + 1)).join('\n\n');
  expect(letter.length).toBeGreaterThan(8_200);
  await main.composer.fill(letter);
  expect(await page.getByRole('button', { name: words.chat.send, exact: true }).isDisabled()).toBe(true);
  await page.getByRole('button', { name: words.chat.sendAsMany(3) }).click();
  await eventually(async () => expect(await main.history.getByRole('img', { name: words.chat.sent, exact: true }).count()).toBe(3));
  expect(await main.composer.inputValue()).toBe('');
  const { messages } = await friend.call<{ messages: { body: { text: string } }[] }>('history', { chat_id: chat, seq: 1, before: 0, after: 10 });
  expect(messages.map(({ body }) => body.text).join('\n\n')).toBe(letter);
});
