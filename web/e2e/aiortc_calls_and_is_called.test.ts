// Another implementation of the same standards, where it is at hand: `pip install aiortc websockets numpy`. Left out elsewhere.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { EMOJI } from '../../client-sdk/typescript/src/call/sas';
import { answer, caller, hears, inCall, ring } from './support/calls';
import { Person } from './support/people';
import { eventually, url } from './support/stage';
import { WORDS } from './support/words';

const PEER = fileURLToPath(new URL('./support/peer/aiortc_peer.py', import.meta.url));
const here = spawnSync('python3', ['-c', 'import aiortc, websockets, numpy']).status === 0;
const { fa } = WORDS;

interface Line {
  ready?: true;
  hears?: true;
  emoji?: number[];
  standing?: string;
  refused?: string;
}

/** The one that aiortc speaks for, and all that it has told. */
function peer(person: Person, ...role: string[]): { told: Line[]; ready: () => Promise<void>; close: () => void } {
  const child = spawn('python3', [PEER, url(), person.token, ...role], { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: Line[] = [];
  createInterface(child.stdout).on('line', (line) => told.push(JSON.parse(line) as Line));
  return { told, ready: () => eventually(() => expect(told.some((it) => it.ready)).toBe(true)), close: () => void child.kill() };
}

test.skipIf(!here).each(['callee', 'caller'] as const)('aiortc as the %s: both hear the other, and both see the same four emoji', async (role) => {
  const mina = await caller('مینا');
  const other = await Person.register(url(), 'Iris');
  await mina.person.direct(other);
  await mina.device.main.row('Iris').waitFor();
  const tab = mina.device.main;
  const iris = role === 'caller' ? peer(other, role, String(mina.person.id)) : peer(other, role);
  try {
    await iris.ready();
    if (role === 'callee') await ring(tab, 'Iris').catch(() => {});
    else await answer(tab, 'Iris');
    await hears(tab);
    await eventually(() => expect(iris.told.some((it) => it.hears)).toBe(true));
    const button = inCall(tab, 'Iris').getByRole('button', { name: fa.call.key });
    await button.waitFor();
    const shown = (await button.getAttribute('aria-label'))!.replace(`${fa.call.key}: `, '').split(' ');
    expect(iris.told.find((it) => it.emoji)?.emoji?.map((at) => EMOJI[at])).toEqual(shown);
    expect(iris.told.filter((it) => it.refused)).toEqual([]);
    await inCall(tab, 'Iris').getByRole('button', { name: fa.call.hangUp, exact: true }).click();
    await eventually(() => expect(iris.told.some((it) => it.standing === 'ended')).toBe(true));
  } finally {
    iris.close();
  }
});
