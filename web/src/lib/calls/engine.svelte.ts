import { ChaparError } from '@chapar/client';
import { Calls as CallClient, type Call, type CallStats, type CallStatus } from '@chapar/client/call';
import { late, sentence, t } from '../i18n/index.svelte';
import { notifications } from '../state/notifications.svelte';
import { prefs } from '../state/prefs.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';
import type { Left } from './mark';
import { leaveMark } from './return';
import { endTone, ring, ringBack, unlockSound } from './ring';
import { onlyHere } from './turn';

/** A state in which nothing is shown: the call belongs to another device or tab. */
const SILENT: readonly CallStatus[] = ['elsewhere', 'silent', 'ended'];
/** How long the reason of an end stays on the screen, in milliseconds. */
const GOODBYE = 2_500;
/** The same when nobody was looking at the call: after a reload. */
const NEWS = 8_000;
/** How long, and how often, the server is asked what became of the call that this page was in. */
const SEARCH = 30_000;
const SEARCH_AGAIN = 1_000;

/** How the network is, in words: by the last measurement. */
export type Quality = 'good' | 'fair' | 'poor' | 'lost';

/** What came of a call that has ended, until it is put away. */
export interface Ended {
  id: string;
  peer: number;
  reason: string;
  outgoing: boolean;
  rate: boolean;
}

/** The one call that may be on the screen, its sound and its lock. */
export class CallEngine {
  readonly client: CallClient;
  /** The call on the screen; the same object through the call, so `version` says when to read it again. */
  call = $state.raw<Call | undefined>();
  version = $state(0);
  stats = $state.raw<CallStats | undefined>();
  ended = $state.raw<Ended | undefined>();
  /** Why the microphone or camera did not open. */
  refused = $state.raw<{ code: string; peer: number; media: 'voice' | 'video' } | undefined>();
  /** The call that this page was in before it was loaded anew, until the person has said what is to become of it. */
  left = $state.raw<Left & { call?: Call }>();
  /** Nothing has arrived for some seconds, by what this device itself knows. */
  deaf = $state(false);
  minimised = $state(false);
  /** When sound first flowed, for the clock. */
  since = $state.raw<number | undefined>();
  #stopSound: (() => void) | undefined;
  #sounding: CallStatus | undefined;
  #lock: WakeLockSentinel | undefined;

  constructor() {
    unlockSound();
    this.client = new CallClient(session.client);
    this.client.on('incoming', (call) => this.#comes(call));
    this.client.on('change', (call) => this.#changed(call));
    this.client.on('stats', (call) => {
      if (call === this.call) this.stats = call.stats;
    });
    this.client.on('ended', (call) => this.#ended(call));
    this.client.leaving = (call) => leaveMark(call, this.since);
    session.client.on('call', ({ state }) => {
      if (state.call_id === this.left?.id && state.standing === 'ended') this.#over(state.reason);
    });
    document.addEventListener('visibilitychange', () => void this.#stayAwake());
  }

  /** Whether there is anything of a call to show. */
  get busy(): boolean {
    return this.call !== undefined || this.ended !== undefined || this.refused !== undefined || this.left !== undefined;
  }

  get status(): CallStatus | undefined {
    void this.version;
    return this.call?.status;
  }

  get quality(): Quality {
    if (this.status === 'reconnecting' || this.deaf) return 'lost';
    return this.stats?.level ?? 'good';
  }

  async start(peer: number, media: 'voice' | 'video'): Promise<void> {
    this.ended = undefined;
    this.refused = undefined;
    if (typeof RTCPeerConnection === 'undefined') {
      this.refused = { code: 'unsupported', peer, media };
      return;
    }
    try {
      await this.#withMedia(peer, media, async () => {
        // It is shown by its first change, before the microphone opens.
        const call = await this.client.call(peer, { media, relayOnly: prefs.relayOnly });
        // It may have ended by now: the other side is busy, for one.
        if (call.status === 'ended' && this.call === call) this.#ended(call);
      });
    } catch (error) {
      // Taken back by the person before it rang anywhere: nobody wants to hear of it.
      if (!(error instanceof ChaparError && error.code === 'no_call')) throw error;
    } finally {
      // Nothing rang: what was shown of it goes.
      if (this.call?.begun && !this.client.list().includes(this.call)) this.#putAway();
    }
  }

  async accept(media: 'voice' | 'video'): Promise<void> {
    const { call } = this;
    if (!call) return;
    await this.#joins(call, media, () =>
      call.status === 'take_over' ? call.takeOver() : call.accept({ media, relayOnly: prefs.relayOnly }),
    );
  }

  /** The page was loaded anew in mid-call: finds out whether the call still goes on, and offers to come back to it. */
  async find(left: Left): Promise<void> {
    this.left = left;
    const until = Date.now() + SEARCH;
    const known = this.client.list().find((call) => call.id === left.id);
    if (known) this.#changed(known);
    while (this.left && !this.left.call && Date.now() < until) {
      try {
        await session.client.request('call_ask', { call_id: left.id, ask: 'look' });
      } catch (error) {
        const { code, action } = ChaparError.from(error as ChaparError);
        if (code === 'call_not_found') return this.#over('node_lost');
        if (action !== 'retry') return this.#over('dropped');
      }
      await new Promise((resolve) => setTimeout(resolve, SEARCH_AGAIN));
    }
    if (this.left && !this.left.call) this.#over('dropped');
  }

  async comeBack(): Promise<void> {
    const { left } = this;
    if (!left?.call) return;
    const { call } = left;
    await this.#joins(call, call.media, () => call.comeBack());
    if (!call.here) return;
    this.left = undefined;
    if (this.call !== call) this.#show(call);
    this.since = left.since;
  }

  /** The person does not want to come back. */
  async letGo(): Promise<void> {
    const { left } = this;
    this.left = undefined;
    await this.#quietly(left?.call?.hangUp());
  }

  /** The call that this page was in is over. */
  #over(reason: string): void {
    const { left } = this;
    if (!left) return;
    this.left = undefined;
    this.#sayBye({ id: left.id, peer: left.peer, reason, outgoing: false, rate: false }, NEWS);
  }

  async decline(): Promise<void> {
    await this.#quietly(this.call?.decline());
  }

  async hangUp(): Promise<void> {
    const { call } = this;
    if (!call) return;
    await this.#quietly(call.hangUp());
    // Whether the server's word has come by now or comes later: for this person the call is over.
    if (this.call === call) this.#ended(call);
  }

  async mute(): Promise<void> {
    await this.#quietly(this.call?.mute(!this.call.muted));
    this.version += 1;
  }

  /** Turns one's own picture on or off; in a voice call asks the other side for video. */
  async video(): Promise<void> {
    const { call } = this;
    if (!call) return;
    try {
      if (call.media === 'voice') await call.wantVideo();
      else await call.setCamera(!this.cameraOn);
    } catch (error) {
      notices.tell(mediaSentence(error));
    }
    this.version += 1;
  }

  async allowVideo(allow: boolean): Promise<void> {
    const { call } = this;
    if (!call) return;
    // One watches: the own camera opens by its own button, and never by a consent.
    await this.#quietly(call.allowVideo(allow));
    this.version += 1;
  }

  get cameraOn(): boolean {
    void this.version;
    return this.call?.local.getVideoTracks().some((track) => track.enabled) ?? false;
  }

  async rate(stars: number, issues: string[]): Promise<void> {
    const { ended } = this;
    this.ended = undefined;
    if (!ended) return;
    try {
      await session.client.rateCall(ended.id, stars, issues as Parameters<typeof session.client.rateCall>[2]);
      notices.tell(late().call.thanks);
    } catch (error) {
      notices.tell(sentence(error));
    }
  }

  dismiss(): void {
    this.ended = undefined;
    this.refused = undefined;
  }

  #comes(call: Call): void {
    if (this.call && this.call !== call) return;
    this.ended = undefined;
    this.#show(call);
    const name = session.name(call.peer);
    const words = call.media === 'video' ? late().call.incomingVideo(name) : late().call.incoming(name);
    void notifications.show(late().notify.call, words, `call-${call.id}`, '#/', true);
  }

  #show(call: Call): void {
    this.call = call;
    this.minimised = false;
    this.since = undefined;
    this.stats = undefined;
    this.deaf = false;
    this.#changed(call);
  }

  #changed(call: Call): void {
    if (call.id === this.left?.id && call.left && this.left.call !== call) this.left = { ...this.left, call };
    // It went on at another device.
    else if (call === this.left?.call && !call.left && !call.here && call.status !== 'ended') this.left = undefined;
    if (call !== this.call) {
      // A call that this page began, or took over, before it was shown.
      if (!this.call && !SILENT.includes(call.status) && call.here) this.#show(call);
      return;
    }
    this.version += 1;
    const { status } = call;
    this.deaf = call.deaf;
    if (status === 'active') this.since ??= Date.now();
    if (SILENT.includes(status) && status !== 'ended') {
      if (status === 'elsewhere') notices.tell(late().call.ended.answered_elsewhere);
      this.#putAway();
      return;
    }
    this.#sound(status);
    void this.#stayAwake();
  }

  #ended(call: Call): void {
    if (call !== this.call) return;
    const lasted = this.since !== undefined;
    const reason = call.endReason ?? (call.outgoing && !lasted ? 'cancelled' : 'hung_up');
    this.#putAway();
    if (lasted || call.outgoing) endTone();
    const rate = call.state.ask_rating && prefs.askRating && lasted;
    this.#sayBye({ id: call.id, peer: call.peer, reason, outgoing: call.outgoing, rate }, GOODBYE);
  }

  #sayBye(ended: Ended, stays: number): void {
    this.ended = ended;
    if (ended.rate) return;
    setTimeout(() => {
      if (this.ended === ended) this.ended = undefined;
    }, stays);
  }

  #putAway(): void {
    const { call } = this;
    this.#sound(undefined);
    this.call = undefined;
    this.minimised = false;
    this.since = undefined;
    this.deaf = false;
    void this.#lock?.release().catch(() => {});
    this.#lock = undefined;
    if (call) void notifications.clear(`call-${call.id}`).catch(() => {});
  }

  #sound(status: CallStatus | undefined): void {
    const wanted = status === 'ringing' || status === 'take_over' || status === 'ringing_there' ? status : undefined;
    if (wanted === this.#sounding) return;
    this.#sounding = wanted;
    this.#stopSound?.();
    const id = this.call?.id ?? '';
    // Of all tabs of the browser one rings: two out of step are a noise.
    this.#stopSound = wanted === undefined ? undefined : wanted === 'ringing_there' ? ringBack() : onlyHere(`chapar-ring-${id}`, ring);
  }

  /** The screen stays on in a call; the lock is lost whenever the page is hidden. */
  async #stayAwake(): Promise<void> {
    if (!this.call || document.visibilityState !== 'visible' || (this.#lock && !this.#lock.released)) return;
    try {
      this.#lock = await navigator.wakeLock?.request('screen');
    } catch {
      // Low battery, or not allowed: the call goes on.
    }
  }

  /** Takes a call that is there already. What has ended meanwhile is told by the call itself. */
  async #joins(call: Call, media: 'voice' | 'video', work: () => Promise<void>): Promise<void> {
    try {
      await this.#withMedia(call.peer, media, work);
    } catch (error) {
      const { code } = error as ChaparError;
      if (!SILENT.includes(call.status) && code !== 'no_call') notices.tell(sentence(error));
    }
  }

  async #withMedia(peer: number, media: 'voice' | 'video', work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const code = error instanceof ChaparError ? error.code : '';
      if (code !== 'media_denied' && code !== 'media_missing') throw error;
      if (this.call?.begun) this.#putAway();
      this.refused = { code: globalThis.isSecureContext ? code : 'insecure', peer, media };
    }
  }

  async #quietly(work: Promise<unknown> | undefined): Promise<void> {
    try {
      await work;
    } catch {
      // The call's state tells what came of it.
    }
  }
}

/** What to do about a microphone or camera that did not open. */
export function mediaSentence(error: unknown): string {
  const code = error instanceof ChaparError ? error.code : String(error);
  const words = late().call;
  if (code === 'insecure' || !globalThis.isSecureContext) return words.insecure;
  if (code === 'unsupported') return words.unsupported;
  if (code === 'media_denied') return words.microphoneDenied;
  if (code === 'media_missing') return words.microphoneMissing;
  return t().errors.unexpected;
}
