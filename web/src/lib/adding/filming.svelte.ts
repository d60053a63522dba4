import { finish, open, recorderOf, stopAll, typeOf } from '../media/recorder';

/** A film that was recorded. */
export interface Filmed {
  blob: Blob;
  milliseconds: number;
}

/** In the order of what plays best elsewhere. */
const TYPES = ['video/mp4;codecs=avc1.42E01F,mp4a.40.2', 'video/mp4;codecs=avc1.42E01F,opus', 'video/webm;codecs=vp8,opus', 'video/webm;codecs=vp9,opus', 'video/webm', 'video/mp4'];
/** A minute of it is about 6 MB. */
const BITS = { videoBitsPerSecond: 750_000, audioBitsPerSecond: 32_000 };
const SIDE = 480;
/** In milliseconds; the server takes 65 s. */
export const LONGEST = 60_000;
const EVERY = 50;

/** A camera, a microphone and a recorder. Whatever ends it, and whenever the browser opens the devices: none stays open after `close`. */
export class Filming {
  /** What the camera sees, while it is open. */
  stream = $state.raw<MediaStream | undefined>();
  running = $state(false);
  milliseconds = $state(0);
  #recorder: MediaRecorder | undefined;
  #parts: Blob[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #began = 0;
  #ended: Promise<Filmed | undefined> | undefined;
  #over = false;
  readonly #onend: () => void;

  /** Whoever wants to hear that it came to its end by itself: a minute is over, or the camera was taken away. */
  constructor(onend: () => void) {
    this.#onend = onend;
  }

  /** Opens the devices. Rejects as the browser does, or with `NotSupportedError`. */
  async open(): Promise<void> {
    const stream = await open({ facingMode: 'user', width: { ideal: SIDE }, height: { ideal: SIDE }, aspectRatio: { ideal: 1 }, frameRate: { ideal: 30, max: 30 } });
    if (this.#over) return stopAll(stream);
    this.stream = stream;
  }

  begin(): void {
    if (!this.stream || this.#recorder) return;
    const recorder = recorderOf(this.stream, TYPES, BITS);
    this.#recorder = recorder;
    recorder.addEventListener('dataavailable', ({ data }) => void (data.size > 0 && this.#parts.push(data)));
    recorder.addEventListener('stop', () => {
      if (this.#ended) return;
      void this.stop();
      this.#onend();
    });
    recorder.start(1_000);
    this.#began = performance.now();
    this.running = true;
    this.#timer = setInterval(() => {
      this.milliseconds = Math.min(performance.now() - this.#began, LONGEST);
      if (this.milliseconds >= LONGEST && recorder.state !== 'inactive') recorder.stop();
    }, EVERY);
  }

  /** Ends it and gives what was seen; nothing where nothing was. */
  stop(): Promise<Filmed | undefined> {
    return (this.#ended ??= this.#stop());
  }

  async #stop(): Promise<Filmed | undefined> {
    clearInterval(this.#timer);
    this.running = false;
    const recorder = this.#recorder;
    if (recorder) this.milliseconds = Math.min(Math.round(performance.now() - this.#began), LONGEST);
    await finish(recorder);
    this.close();
    if (!recorder || this.#parts.length === 0) return undefined;
    return { blob: new Blob(this.#parts, { type: typeOf(recorder, 'video/webm') }), milliseconds: this.milliseconds };
  }

  /** Closes the camera and the microphone, also those that open only later. */
  close(): void {
    this.#over = true;
    clearInterval(this.#timer);
    if (this.stream) stopAll(this.stream);
    this.stream = undefined;
  }
}
