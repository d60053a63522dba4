import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { answer, caller, hears, inCall } from './support/calls';
import { PASSWORD, Person } from './support/people';
import { binary } from './support/server';
import { eventually, url } from './support/stage';
import { loudness, tone } from './support/wav';
import { WORDS } from './support/words';

const fa = WORDS.fa;

/** The SDK's terminal caller: `cargo build -p chapar-client --features calls --example call`. */
function terminal(who: Person, ...more: string[]) {
  const child = spawn(binary('examples/call'), ['--url', url(), '--handle', who.handle, '--password', PASSWORD, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.once('error', (error) => (said += String(error)));
  onTestFinished(() => void child.kill());
  return {
    says: (words: string) => eventually(() => expect(said).toContain(words)),
    said: () => said,
    ended,
  };
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'chapar-wav-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** What the SDK recorded has the beeps of the browser's fake microphone in it, and silence between them. */
function hasBeeps(recording: string): void {
  const steps = loudness(readFileSync(recording), 20);
  const loud = steps.map((each) => each > 0.05);
  if (process.env.KEEP_WAV) writeFileSync(process.env.KEEP_WAV, readFileSync(recording));
  const beeps = loud.filter((each, at) => each && loud[at - 1] !== true).length;
  expect(beeps, 'beeps in the recording').toBeGreaterThanOrEqual(2);
  expect(loud.filter((each) => !each).length, 'steps of silence').toBeGreaterThan(steps.length / 4);
}

test('a browser calls a terminal: both hear each other, and see the same four emoji', async () => {
  const made = folder();
  writeFileSync(join(made, 'tone.wav'), tone(440, 2));
  const reza = await Person.register(url(), 'رضا');
  const mina = await caller('مینا');
  await mina.person.direct(reza);
  const hers = mina.device.main;
  const recording = join(made, 'heard.wav');
  const there = terminal(reza, '--play', join(made, 'tone.wav'), '--record', recording, '--seconds', '12');
  await there.says('waiting for a call');
  await hers.open('رضا');
  await hers.page.getByRole('button', { name: fa.chat.call, exact: true }).click();
  await hears(hers);
  const emoji = inCall(hers, 'رضا').getByRole('button', { name: fa.call.key });
  await emoji.waitFor();
  const mine = (await emoji.getAttribute('aria-label'))!.replace(`${fa.call.key}: `, '');
  await there.says(`compare these by voice: ${mine}`);
  expect(await there.ended, there.said()).toBe(0);
  await inCall(hers, 'رضا').waitFor({ state: 'detached' });
  hasBeeps(recording);
});

test('a terminal calls a browser', async () => {
  const made = folder();
  writeFileSync(join(made, 'tone.wav'), tone(440, 2));
  const reza = await Person.register(url(), 'رضا');
  const mina = await caller('مینا');
  const hers = mina.device.main;
  await mina.person.direct(reza);
  const recording = join(made, 'heard.wav');
  const there = terminal(reza, '--call', mina.person.handle, '--play', join(made, 'tone.wav'), '--record', recording, '--seconds', '8');
  await answer(hers, 'رضا');
  await hears(hers);
  expect(await there.ended, there.said()).toBe(0);
  await inCall(hers, 'رضا').waitFor({ state: 'detached' });
  hasBeeps(recording);
});
