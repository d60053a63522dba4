// Where each scenario plays: a browser, the devices in it, and what is kept when something goes wrong.
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, expect, inject } from 'vitest';
import { Device, launch, type DeviceOptions } from './browser';
import { ARTIFACTS, record } from './ledger';
import { handle, Person } from './people';

/** How long a person waits for something to appear, in milliseconds. Not a measure of speed: a busy machine is slow. */
export const PATIENCE = 20_000;

let browser: Promise<Browser> | undefined;
let devices: Device[] = [];

/** The server that the scenarios share. */
export const url = (): string => inject('url');

/** A fresh device. */
export async function device(options: DeviceOptions & { at?: string } = {}): Promise<Device> {
  browser ??= launch();
  const opened = await Device.open(await browser, options.at ?? url(), options);
  opened.context.setDefaultTimeout(PATIENCE);
  devices.push(opened);
  return opened;
}

/** Somebody new, signed in on a fresh device. */
export async function somebody(name: string, options: DeviceOptions & { at?: string } = {}): Promise<{ device: Device; person: Person }> {
  const person = await Person.register(options.at ?? url(), name, handle('e2e'));
  const opened = await device(options);
  await opened.signIn(person.handle);
  return { device: opened, person };
}

/** Looks again and again until something holds. */
export function eventually(look: () => Promise<void> | void): Promise<void> {
  return expect.poll(async () => (await look(), true), { timeout: PATIENCE, interval: 50 }).toBe(true) as unknown as Promise<void>;
}

afterEach(async ({ task }) => {
  const failed = task.result?.state === 'fail';
  const all = devices;
  devices = [];
  const scenario = [task.file.name.replace(/^.*\//, '').replace('.test.ts', ''), task.name].join(': ');
  for (const [at, each] of all.entries()) {
    if (failed) await keep(scenario, at, each);
    record({ scenario, requests: each.requests, foreign: each.foreign, violations: each.violations });
    await each.close();
  }
  if (failed) return;
  for (const each of all) {
    expect(each.foreign, 'requests to other origins').toEqual([]);
    expect(each.violations, 'breaches of the Content-Security-Policy').toEqual([]);
    expect(each.faults, 'errors of the page').toEqual([]);
  }
});

afterAll(async () => {
  await (await browser)?.close();
});

async function keep(scenario: string, at: number, each: Device): Promise<void> {
  const name = `${scenario} ${at}`.replace(/[^\p{L}\p{N}]+/gu, '-');
  mkdirSync(ARTIFACTS, { recursive: true });
  writeFileSync(`${ARTIFACTS}${name}.log`, each.log.join('\n'));
  for (const [tab, page] of each.context.pages().entries()) {
    await page.screenshot({ path: `${ARTIFACTS}${name}-${tab}.png` }).catch(() => {});
  }
}
