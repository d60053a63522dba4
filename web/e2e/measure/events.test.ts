// What one event costs the page's thread where there are many chats: its own time on the processor, so that what else runs on
// the machine changes it little.
import { afterAll, beforeAll, test } from 'vitest';
import { Person } from '../support/people';
import { sql } from '../support/sql';
import { Server } from '../support/server';
import { device } from '../support/stage';
import { table } from './figures';
import { profiling } from './trace';

const keep = table();
const CHATS = 440;
const GROUPS = 60;
const EVENTS = 60;
const PIECES = 12;

// People here do in a minute what the budgets of strangers spread over days.
let server: Server;
beforeAll(async () => {
  server = await Server.start('--messages-per-second', '0', '--new-contacts-per-day', '0', '--stranger-chats-per-day', '0', '--lookups-per-day', '0');
});
afterAll(() => server.close());

test('a message of another chat costs the page what it changes, with 500 chats of which 60 are groups', async () => {
  const me = await Person.register(server.url, 'مینا');
  const friends: { person: Person; chat: number }[] = [];
  for (let at = 0; at < 12; at++) {
    const person = await Person.register(server.url, `آشنا ${'الف ب پ ت ث ج چ ح خ د ذ ر'.split(' ')[at]}`);
    friends.push({ person, chat: await person.direct(me) });
  }
  // Each makes some, as a person's budget allows.
  const groups: number[] = [];
  await Promise.all(
    friends.map(async ({ person }, at) => {
      for (let number = 0; number < Math.ceil((GROUPS + CHATS) / friends.length); number++) {
        const members = number < GROUPS / friends.length ? [me, ...friends.slice(0, 4).map((each) => each.person).filter((each) => each !== person)] : [me];
        const chat = await person.create('group', `گروه ${at} ${number}`, members);
        if (members.length > 1) groups.push(chat);
      }
    }),
  );
  for (const { person, chat } of friends) await person.say(chat, 'سلام');
  const [held] = sql(server.folder, `select count(*) from user_chats where user_id = ${me.id}`);
  const one = await device({ at: server.url });
  await one.signIn(me.handle);
  await one.visit(`#/chat/${friends[0]!.chat}`);
  await one.main.history.locator('ol.opened').waitFor();
  const cdp = await one.context.newCDPSession(one.page);
  await cdp.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
  await cdp.send('Performance.enable');
  const spent = async (): Promise<{ task: number; script: number }> => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    const of = (wanted: string): number => (metrics.find(({ name }) => name === wanted)?.value ?? NaN) * 1_000;
    return { task: of('TaskDuration'), script: of('ScriptDuration') };
  };
  // A fixed piece of work, before and after each kind: how much slower the machine is just then than at its best, whatever else runs on it.
  let best = Infinity;
  const pieces = async (): Promise<number[]> => {
    const times: number[] = [];
    for (let at = 0; at < PIECES; at++) {
      const before = await spent();
      await one.page.evaluate(() => {
        const map = new Map<number, string>();
        for (let turn = 0; turn < 30_000; turn++) map.set(turn % 997, `${map.get((turn * 7) % 997) ?? ''}${turn}`.slice(-20));
      });
      times.push((await spent()).task - before.task);
    }
    return times;
  };
  await pieces();
  const found: { what: string; script: number; task: number; pieces: number[] }[] = [];
  for (const [what, chats] of [
    ['of a person', friends.slice(1)],
    ['of a group', groups.map((chat) => ({ person: friends[0]!.person, chat }))],
    ['of the open chat', friends.slice(0, 1)],
  ] as const) {
    await one.page.waitForTimeout(1_000);
    const around = await pieces();
    const profiled = await profiling(cdp);
    const before = await spent();
    for (let at = 0; at < EVENTS; at++) {
      const { person, chat } = chats[at % chats.length]!;
      await person.say(chat, `${what} ${at}`);
    }
    // Looked for seldom: it costs the same thread.
    await one.page.waitForFunction((last) => document.querySelector('nav .rows')?.textContent.includes(last), `${what} ${EVENTS - 1}`, { polling: 500 });
    const after = await spent();
    await profiled(`events ${what}`);
    around.push(...(await pieces()));
    best = Math.min(best, ...around);
    found.push({ what, script: (after.script - before.script) / EVENTS, task: (after.task - before.task) / EVENTS, pieces: around });
  }
  for (const { what, script, task, pieces: around } of found) {
    const slower = around.reduce((a, b) => a + b) / around.length / best;
    keep(`an event ${what}, ${held} chats`, `script ${script.toFixed(2)} ms, with style, layout and paint ${task.toFixed(2)} ms of the thread's own time; at the machine's best ${(script / slower).toFixed(2)} and ${(task / slower).toFixed(2)} ms (it was ${slower.toFixed(1)} times slower)`);
  }
}, 500_000);
