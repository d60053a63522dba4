import { expect, test } from 'vitest';
import { somebody } from './support/stage';

const HOSTILE = [
  '<img src=x onerror="window.hacked=1">',
  '<script>window.hacked=1</script>',
  '<svg onload=window.hacked=1><a href="javascript:window.hacked=1">x</a></svg>',
  '[press](javascript:window.hacked=1)',
  'javascript:window.hacked=1',
  'data:text/html,<script>window.hacked=1</script>',
  '"><iframe srcdoc="<script>parent.hacked=1</script>">',
  '{{constructor.constructor("window.hacked=1")()}} ${window.hacked=1}',
  '\u202Egnp.exe <b>bold</b> &lt;i&gt; &amp;',
];

test('what looks like HTML is shown as it was written, in bubbles, list, quotes and names', async () => {
  const name = '<img src=x onerror="window.hacked=1">';
  const mina = await somebody(name);
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await hers.open('John');
  await his.open(name);
  for (const text of HOSTILE) {
    await hers.say(text);
    await his.page.locator('li.message').filter({ hasText: text.slice(0, 8) === '[press](' ? 'press' : text.slice(0, 12) }).first().waitFor();
  }
  // Over the API nothing trims or reads it: entities that name a hostile address, too.
  const chat = await mina.person.direct(john.person);
  const seq = await mina.person.say(chat, 'look here', { entities: [{ offset: 0, length: 9, type: 'link', url: 'javascript:window.hacked=1' }] }).catch(() => 0);
  if (seq > 0) await his.message('look here').waitFor();
  await his.act(HOSTILE[0]!, his.words.chat.reply);
  await his.say('an answer to that');
  await hers.message('an answer to that').waitFor();

  for (const tab of [hers, his]) {
    const texts = (await tab.texts()).map((text) => text.trim());
    for (const text of HOSTILE.filter((each) => !each.startsWith('[press]'))) expect(texts).toContain(text);
    const made = await tab.page.evaluate(() => ({
      hacked: 'hacked' in window,
      elements: document.querySelectorAll('img[src="x"], iframe, .content script, .content svg, .content b').length,
      addresses: [...document.querySelectorAll('a')].map((each) => each.href).filter((href) => !/^https?:/.test(href)),
    }));
    expect(made).toEqual({ hacked: false, elements: 0, addresses: [] });
  }
});

test('a link opens in another page that knows nothing of this one', async () => {
  const mina = await somebody('مینا');
  const john = await somebody('John', { language: 'en' });
  await mina.person.direct(john.person);
  const hers = mina.device.main;
  await hers.open('John');
  // An address of the own origin, so that nothing foreign is asked for.
  await hers.say(`ببین: ${mina.device.url}/healthz و [این](${mina.device.url}/readyz)`);
  for (const [at, path] of ['/healthz', '/readyz'].entries()) {
    const link = hers.message('ببین').getByRole('link').nth(at);
    expect(await link.getAttribute('href')).toBe(mina.device.url + path);
    expect((await link.getAttribute('rel'))?.split(' ')).toEqual(expect.arrayContaining(['noopener', 'noreferrer']));
    const [opened] = await Promise.all([mina.device.context.waitForEvent('page'), link.click()]);
    await opened.waitForLoadState();
    expect(await opened.evaluate(() => [window.opener, document.referrer])).toEqual([null, '']);
    await opened.close();
  }
});
