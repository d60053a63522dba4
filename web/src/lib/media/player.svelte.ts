import { session } from '../state/session.svelte';
import { keep, load } from '../state/storage';
import { localUrl, remoteUrl, type Whereabouts } from './files.svelte';
import { now } from './now.svelte';
import { isMedia } from './shapes';

/** What is played: a voice, music. */
export interface Track {
  chatId: number;
  seq: number | undefined;
  clientId?: string | undefined;
  index?: number | undefined;
  fileId: string;
  kind: 'voice' | 'audio';
  /** Whose voice, or what music. */
  title: string;
  duration: number;
  /** Whose it is. */
  sender: number;
}

export const RATES = [1, 1.5, 2] as const;
/** Places in the middle and messages heard that are remembered. */
const REMEMBERED = 300;
/** How far ahead the next voice is looked for, in messages. */
const AHEAD = 60;

const keyOf = ({ chatId, seq, clientId }: Pick<Track, 'chatId' | 'seq' | 'clientId'>): string => `${chatId}:${seq ?? clientId ?? ''}`;

function kept<T>(name: string, otherwise: T): T {
  try {
    return (JSON.parse(load(name) ?? 'null') as T) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Plays one thing at a time, also while another chat is read; the next voice of the chat plays by itself. */
class Player {
  track = $state.raw<Track | undefined>();
  playing = $state(false);
  /** In seconds. */
  at = $state(0);
  rate = $state<number>(RATES.find((it) => it === Number(load('voice-rate'))) ?? 1);
  /** It could not be played. */
  failed = $state(false);
  #heard = $state.raw<ReadonlySet<string>>(new Set(kept<string[]>('heard', [])));
  #places = new Map<string, number>(kept<[string, number][]>('voice-places', []));
  #audio: HTMLAudioElement | undefined;
  #turn = 0;

  is(track: Pick<Track, 'chatId' | 'seq' | 'clientId'>): boolean {
    return this.track !== undefined && keyOf(this.track) === keyOf(track);
  }

  heard(track: Pick<Track, 'chatId' | 'seq'>): boolean {
    return this.#heard.has(keyOf(track));
  }

  async toggle(track: Track): Promise<void> {
    if (!this.is(track)) return this.play(track);
    if (this.playing) this.#audio?.pause();
    else if (this.failed) await this.play(track);
    else await this.#audio?.play().catch(() => (this.failed = true));
  }

  async play(track: Track, from?: number): Promise<void> {
    this.#leave();
    const turn = ++this.#turn;
    const audio = (this.#audio ??= this.#make());
    this.track = track;
    this.failed = false;
    this.at = from ?? this.#places.get(keyOf(track)) ?? 0;
    now.player = true;
    try {
      const where: Whereabouts = { ...track };
      const url = (await localUrl(where)) ?? (await remoteUrl(where, 'original'));
      if (turn !== this.#turn) return;
      if (url === undefined) throw new Error('not to be had');
      audio.src = url;
      audio.currentTime = this.at;
      audio.playbackRate = this.rate;
      await audio.play();
      this.#noteHeard(track);
    } catch (error) {
      // Stopped by the next one: that is no failure.
      if (turn === this.#turn && (error as { name?: string }).name !== 'AbortError') this.failed = true;
    }
  }

  /** To a share of the whole. */
  seek(share: number): void {
    if (!this.track || !this.#audio) return;
    const length = Number.isFinite(this.#audio.duration) && this.#audio.duration > 0 ? this.#audio.duration : this.track.duration / 1000;
    this.at = this.#audio.currentTime = Math.min(Math.max(share, 0), 1) * length;
  }

  nextRate(): void {
    const at = RATES.findIndex((it) => it === this.rate);
    this.rate = RATES[(at + 1) % RATES.length] ?? 1;
    keep('voice-rate', String(this.rate));
    if (this.#audio) this.#audio.playbackRate = this.rate;
  }

  /** Something else is to be heard: a call, a film, the own voice. */
  pause(): void {
    this.#audio?.pause();
  }

  close(): void {
    this.#leave();
    this.#turn += 1;
    this.#audio?.pause();
    this.#audio?.removeAttribute('src');
    this.track = undefined;
    this.playing = false;
    now.player = false;
  }

  #make(): HTMLAudioElement {
    const audio = new Audio();
    audio.preservesPitch = true;
    audio.addEventListener('play', () => (this.playing = true));
    audio.addEventListener('pause', () => (this.playing = false));
    audio.addEventListener('timeupdate', () => (this.at = audio.currentTime));
    audio.addEventListener('ended', () => void this.#ended());
    audio.addEventListener('error', () => (audio.hasAttribute('src') ? (this.failed = true) : undefined));
    return audio;
  }

  /** Where one is in the middle is kept. */
  #leave(): void {
    if (!this.track) return;
    const key = keyOf(this.track);
    this.#places.delete(key);
    if (this.at > 2 && this.at < this.track.duration / 1000 - 2) this.#places.set(key, Math.round(this.at * 10) / 10);
    while (this.#places.size > REMEMBERED) for (const first of this.#places.keys()) { this.#places.delete(first); break; }
    keep('voice-places', JSON.stringify([...this.#places]));
  }

  #noteHeard(track: Track): void {
    if (track.seq === undefined || this.heard(track)) return;
    const all = [...this.#heard, keyOf(track)].slice(-REMEMBERED);
    this.#heard = new Set(all);
    keep('heard', JSON.stringify(all));
  }

  async #ended(): Promise<void> {
    const { track } = this;
    this.at = 0;
    if (!track || track.seq === undefined) return this.close();
    const turn = this.#turn;
    const next = await this.#after(track, track.seq).catch(() => undefined);
    if (turn !== this.#turn) return;
    if (next) await this.play(next);
    else this.close();
  }

  async #after(track: Track, seq: number): Promise<Track | undefined> {
    const rows = await session.client.history(track.chatId, seq + 1, 0, AHEAD);
    for (const { message } of rows) {
      const { body } = message;
      if (!isMedia(body) || body.kind !== track.kind) continue;
      return { chatId: track.chatId, seq: message.seq, fileId: body.file.id, kind: track.kind, title: track.kind === 'voice' ? session.name(message.sender) : titleOf(body), duration: body.duration_ms, sender: message.sender };
    }
    return undefined;
  }
}

/** What music is called. */
export const titleOf = (body: { title?: string; file: { name?: string } }): string => body.title || body.file.name || '';

export const player = new Player();
