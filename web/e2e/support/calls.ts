// People who call each other, and what really arrives there.
import type { Locator } from 'playwright-core';
import { expect } from 'vitest';
import type { Device, Tab } from './browser';
import { eventually, somebody } from './stage';

/** Keeps the connections that the page makes, so that a test can ask the browser what came through them. */
const KEEP_PEERS = `
  window.peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) { super(...args); window.peers.push(this); }
  };
  // Every device that was opened; 'held' keeps what was asked for open, as a person who has not answered the browser yet.
  window.tracks = [];
  window.held = undefined;
  const devices = navigator.mediaDevices;
  const open = devices?.getUserMedia.bind(devices);
  if (devices) devices.getUserMedia = async (wanted) => {
    await window.held;
    const stream = await open(wanted);
    window.tracks.push(...stream.getTracks());
    return stream;
  };`;

type Kept = { tracks: MediaStreamTrack[]; held?: Promise<void>; letGo: () => void };

/** The kinds of all devices that this page has ever opened, one after the other. */
export const opened = (tab: Tab): Promise<string[]> =>
  tab.page.evaluate(() => (window as unknown as Kept).tracks.map((track) => track.kind));
/** The kinds of the devices that are open now: what the light at a camera shows. */
export const live = (tab: Tab): Promise<string[]> =>
  tab.page.evaluate(() => (window as unknown as Kept).tracks.filter((track) => track.readyState === 'live').map((track) => track.kind));
/** The browser asks the person for a device, and the person lets it wait, until what is returned. */
export async function hold(tab: Tab): Promise<() => Promise<void>> {
  await tab.page.evaluate(() => {
    const kept = window as unknown as Kept;
    kept.held = new Promise((resolve) => (kept.letGo = resolve));
  });
  return () => tab.page.evaluate(() => (window as unknown as Kept).letGo());
}

export interface Heard {
  packets: number;
  energy: number;
  /** The selected pair: types of its candidates here and there. */
  path: [string, string];
}

type Peers = { peers: RTCPeerConnection[] };

/** What one hears now: of the connection that carries sound. */
export function heard(tab: Tab): Promise<Heard | undefined> {
  return tab.page.evaluate(async () => {
    for (const peer of (window as unknown as Peers).peers) {
      if (peer.connectionState === 'closed') continue;
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      const stats: any[] = [...((await peer.getStats()) as unknown as Map<string, unknown>).values()];
      const audio = stats.find((each) => each.type === 'inbound-rtp' && each.kind === 'audio');
      const transport = stats.find((each) => each.type === 'transport');
      const pair = stats.find((each) => each.id === transport?.selectedCandidatePairId);
      if (!audio || !pair) continue;
      const kind = (id: string): string => stats.find((each) => each.id === id)?.candidateType ?? '';
      return {
        packets: audio.packetsReceived as number,
        energy: audio.totalAudioEnergy as number,
        path: [kind(pair.localCandidateId), kind(pair.remoteCandidateId)] as [string, string],
      };
    }
    return undefined;
  });
}

/** Waits until sound really arrives from now on: packets of RTP, and in them something that is not silence. */
export async function hears(tab: Tab): Promise<Heard> {
  let first: Heard | undefined;
  let last: Heard | undefined;
  await eventually(async () => {
    last = await heard(tab);
    first ??= last;
    // About a second of sound: the fake microphone beeps once a second.
    expect((last?.packets ?? 0) - (first?.packets ?? Infinity)).toBeGreaterThan(50);
    expect((last?.energy ?? 0) - (first?.energy ?? Infinity)).toBeGreaterThan(0);
  });
  return last as Heard;
}

export const inCall = (tab: Tab, name: string): Locator => tab.page.getByRole('dialog', { name: `${tab.words.call.title}: ${name}` });
/** The ring, on the screen of the one who is called. Names stand isolated in it. */
export const ringing = (tab: Tab, name: string): Locator => tab.page.getByRole('dialog', { name: tab.words.call.incoming(`\u2068${name}\u2069`) });

/** A person with a microphone. */
export function caller(name: string, options: Parameters<typeof somebody>[1] = {}): ReturnType<typeof somebody> {
  return somebody(name, { ...options, before: KEEP_PEERS });
}
export { KEEP_PEERS };

/** Mina, who will call John. */
export async function twoWhoCall(options: { at?: string; hisAt?: string } = {}) {
  const mina = await caller('مینا', { ...(options.at && { at: options.at }) });
  const john = await caller('John', { language: 'en', ...(options.hisAt && { at: options.hisAt }) });
  await mina.person.direct(john.person);
  const [hers, his] = [mina.device.main, john.device.main];
  await his.row('مینا').waitFor();
  return { mina, john, hers, his };
}

export async function ring(from: Tab, name: string): Promise<void> {
  await from.open(name).catch(() => {});
  await from.page.getByRole('button', { name: from.words.chat.call, exact: true }).click();
  await inCall(from, name).getByText(from.words.call.ringing, { exact: true }).waitFor();
}

export async function answer(tab: Tab, name: string): Promise<void> {
  await ringing(tab, name).getByRole('button', { name: tab.words.call.answer, exact: true }).click();
}

/** The switch in the settings. */
export async function onlyThroughRelays(device: Device): Promise<void> {
  await device.visit('#/settings');
  await device.page.getByRole('switch', { name: device.words.settings.relayOnly }).click();
  await device.visit('#/');
}

/** Pictures of the other side that were decoded by now. */
export function seen(tab: Tab): Promise<number | undefined> {
  return tab.page.evaluate(async () => {
    for (const peer of (window as unknown as Peers).peers) {
      if (peer.connectionState === 'closed') continue;
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      const stats: any[] = [...((await peer.getStats()) as unknown as Map<string, unknown>).values()];
      const video = stats.find((each) => each.type === 'inbound-rtp' && each.kind === 'video');
      if (video) return video.framesDecoded as number;
    }
    return undefined;
  });
}
