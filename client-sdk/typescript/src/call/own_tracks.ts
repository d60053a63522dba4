// What this side sends: microphone and camera, and the rule that nothing stays open after the end.
//
// A device opens slowly (a person is asked first), and anything may happen meanwhile. So each opening belongs to an
// epoch, which ends when the device is closed; what opens in a later one is closed before anybody holds it.

import { ChaparError } from "../error.js";
import { openCamera, openMicrophone, type Devices } from "./media.js";

type Kind = "audio" | "video";

const open = (kind: Kind, devices: Devices): Promise<MediaStreamTrack> =>
  kind === "audio" ? openMicrophone(devices.microphone) : openCamera(devices.camera);

export class OwnTracks {
  /** The same object for the whole call. */
  readonly stream = new MediaStream();
  readonly #devices: Devices;
  /** A device went away by itself. */
  readonly #lost: (kind: Kind) => void;
  readonly #epoch: Record<Kind, number> = { audio: 0, video: 0 };
  /** One opening of a kind at a time: two at once would leave one that nobody closes. */
  readonly #opening: Partial<Record<Kind, Promise<MediaStreamTrack>>> = {};

  constructor(devices: Devices, lost: (kind: Kind) => void) {
    this.#devices = devices;
    this.#lost = lost;
  }

  of(kind: Kind): MediaStreamTrack | undefined {
    return this.stream.getTracks().find((track) => track.kind === kind);
  }

  /** Opens a device, unless it is open. Rejects with `media_denied`, `media_missing`, or `no_call` when it was closed meanwhile. */
  async open(kind: Kind): Promise<MediaStreamTrack> {
    return this.of(kind) ?? this.#take(kind);
  }

  /** Opens the device that is chosen now in place of the one that is open; says which track it is, if any. */
  async reopen(kind: Kind): Promise<MediaStreamTrack | undefined> {
    return this.of(kind) ? this.#take(kind) : undefined;
  }

  /** Closes one device, also one that opens only later. */
  stop(kind: Kind): void {
    this.#epoch[kind] += 1;
    delete this.#opening[kind];
    this.#drop(kind);
  }

  /** The end here. */
  close(): void {
    this.stop("audio");
    this.stop("video");
  }

  #drop(kind: Kind): void {
    const track = this.of(kind);
    if (!track) return;
    track.stop();
    this.stream.removeTrack(track);
  }

  async #take(kind: Kind): Promise<MediaStreamTrack> {
    const epoch = this.#epoch[kind];
    const before = this.#opening[kind];
    const mine = (async () => {
      // What was chosen may have changed since the one before began.
      await before?.catch(() => {});
      const track = await open(kind, this.#devices);
      if (epoch !== this.#epoch[kind]) {
        track.stop();
        throw new ChaparError("no_call", "it was closed while it opened");
      }
      const old = this.of(kind);
      track.enabled = old?.enabled ?? true;
      this.#drop(kind);
      track.onended = () => {
        if (this.of(kind) === track) this.#lost(kind);
      };
      this.stream.addTrack(track);
      return track;
    })();
    this.#opening[kind] = mine;
    try {
      return await mine;
    } finally {
      if (this.#opening[kind] === mine) delete this.#opening[kind];
    }
  }
}
