import { finish, open, recorderOf, stopAll, typeOf } from './recorder';

/** A voice that was recorded. */
export interface Recorded {
  blob: Blob;
  milliseconds: number;
  /** How loud it was, 0 to 1, ten times a second. */
  levels: number[];
}

/** In the order of what plays best elsewhere; the server makes Ogg of all of them. */
const TYPES = ['audio/ogg;codecs=opus', 'audio/webm;codecs=opus', 'audio/mp4;codecs=opus', 'audio/mp4'];
/** Speech stays clear, and half a minute is under 110 KB. */
const BITS = 24_000;
/** Nobody speaks longer than this into a telephone that was forgotten, in milliseconds. */
const LONGEST = 15 * 60_000;
const EVERY = 100;
/** Bars that are seen while one speaks. */
const SEEN = 60;

/** The microphone, a recorder and a meter. */
export class Recording {
  running = $state(false);
  milliseconds = $state(0);
  lately = $state.raw<number[]>([]);
  #levels: number[] = [];
  #stream: MediaStream | undefined;
  #recorder: MediaRecorder | undefined;
  #context: AudioContext | undefined;
  #parts: Blob[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #began = 0;
  #ended: Promise<Recorded | undefined> | undefined;
  #over = false;
  readonly #onPart: (part: Blob, type: string) => void;

  /** Whoever wants to hear of each second as it is said. */
  constructor(onPart: (part: Blob, type: string) => void = () => {}) {
    this.#onPart = onPart;
  }

  /** Opens the microphone and begins. Rejects as the browser does, or with `NotSupportedError`. */
  async start(): Promise<void> {
    const stream = await open(false);
    if (this.#over) return stopAll(stream);
    this.#stream = stream;
    const recorder = recorderOf(stream, TYPES, { audioBitsPerSecond: BITS });
    this.#recorder = recorder;
    recorder.addEventListener('dataavailable', ({ data }) => {
      if (data.size === 0) return;
      this.#parts.push(data);
      this.#onPart(data, typeOf(recorder, 'audio/webm'));
    });
    // A headset that is pulled out ends it; what was said stays.
    recorder.addEventListener('stop', () => void this.stop());
    recorder.start(1_000);
    this.#began = performance.now();
    this.running = true;
    this.#measure(stream);
  }

  /** Ends it and gives what was said; nothing where there was no sound. */
  stop(): Promise<Recorded | undefined> {
    this.#over = true;
    return (this.#ended ??= this.#stop());
  }

  async #stop(): Promise<Recorded | undefined> {
    clearInterval(this.#timer);
    const recorder = this.#recorder;
    const milliseconds = Math.round(performance.now() - this.#began);
    this.running = false;
    await finish(recorder);
    if (this.#stream) stopAll(this.#stream);
    void this.#context?.close().catch(() => {});
    if (!recorder || this.#parts.length === 0) return undefined;
    this.milliseconds = milliseconds;
    return { blob: new Blob(this.#parts, { type: typeOf(recorder, 'audio/webm') }), milliseconds, levels: this.#levels };
  }

  #measure(stream: MediaStream): void {
    let level = (): number => 0.3;
    try {
      const context = (this.#context = new AudioContext());
      const analyser = context.createAnalyser();
      analyser.fftSize = 1024;
      context.createMediaStreamSource(stream).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      level = () => {
        analyser.getFloatTimeDomainData(samples);
        // Speech lies between a hundredth and a third of the whole.
        return Math.min(Math.sqrt(samples.reduce((sum, it) => sum + it * it, 0) / samples.length) * 4, 1);
      };
    } catch {
      // Without a meter it is recorded all the same.
    }
    this.#timer = setInterval(() => {
      this.milliseconds = performance.now() - this.#began;
      const now = level();
      this.#levels.push(now);
      this.lately = this.#levels.slice(-SEEN);
      if (this.milliseconds >= LONGEST) this.#recorder?.stop();
    }, EVERY);
  }
}
