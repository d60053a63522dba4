import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OwnTracks } from "../../src/call/own_tracks.js";
import { DEAF_AFTER, Hearing } from "../../src/call/hearing.js";

/** A device that was opened, as a browser gives it. */
class Track {
  readyState = "live";
  enabled = true;
  onended: (() => void) | null = null;
  constructor(readonly kind: string) {}
  stop(): void {
    this.readyState = "ended";
  }
}

class Stream {
  #tracks: Track[] = [];
  getTracks = (): Track[] => [...this.#tracks];
  addTrack = (track: Track): void => void this.#tracks.push(track);
  removeTrack = (track: Track): void => void (this.#tracks = this.#tracks.filter((it) => it !== track));
}

let made: Track[] = [];
/** The person who is asked: each answer waits here. */
let asked: ((allow: boolean) => void)[] = [];
const live = (kind?: string): number => made.filter((it) => it.readyState === "live" && (kind === undefined || it.kind === kind)).length;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
beforeAll(() => {
  const getUserMedia = (wanted: object): Promise<Stream> =>
    new Promise((resolve, reject) => {
      const kind = "audio" in wanted ? "audio" : "video";
      asked.push((allow) => {
        if (!allow) return reject(Object.assign(new Error("no"), { name: "NotAllowedError" }));
        const stream = new Stream();
        const track = new Track(kind);
        made.push(track);
        stream.addTrack(track);
        resolve(stream);
      });
    });
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: { getUserMedia } }, configurable: true });
  Object.assign(globalThis, { MediaStream: Stream });
});
afterAll(() => {
  if (before) Object.defineProperty(globalThis, "navigator", before);
});

const fresh = (): OwnTracks => {
  made = [];
  asked = [];
  return new OwnTracks({}, () => {});
};

describe("the own microphone and camera", () => {
  it("close when they open only after the end", async () => {
    const own = fresh();
    const opening = own.open("audio");
    await settle();
    own.close();
    asked.shift()?.(true);
    await expect(opening).rejects.toMatchObject({ code: "no_call" });
    expect([made.length, live()]).toEqual([1, 0]);
  });

  it("can be opened anew after an end that was none", async () => {
    const own = fresh();
    own.close();
    const opening = own.open("audio");
    await settle();
    asked.shift()?.(true);
    await opening;
    expect(live()).toBe(1);
  });

  it("are never two of a kind, and none after the end, whatever comes in between", async () => {
    // A linear congruential generator, so that a failure can be seen again.
    for (let seed = 1; seed <= 300; seed++) {
      let at = seed;
      const next = (bound: number): number => (at = (Math.imul(at, 1664525) + 1013904223) >>> 0) % bound;
      const own = fresh();
      const kinds = ["audio", "video"] as const;
      for (let step = 0; step < 12; step++) {
        const kind = kinds[next(2)] ?? "audio";
        const what = next(7);
        if (what === 0) void own.open(kind).catch(() => {});
        else if (what === 1) void own.reopen(kind).catch(() => {});
        else if (what === 2) {
          own.stop(kind);
          await settle();
          expect(live(kind), `seed ${seed}`).toBe(0);
        }
        else if (what === 3) own.close();
        else asked.splice(next(asked.length || 1), 1)[0]?.(next(4) > 0);
        if (next(2) === 0) await settle();
        for (const each of kinds) expect(own.stream.getTracks().filter((it) => it.kind === each).length, `seed ${seed}`).toBeLessThanOrEqual(1);
      }
      own.close();
      for (let turn = 0; turn < 20; turn++) {
        await settle();
        asked.shift()?.(true);
      }
      await settle();
      expect(live(), `seed ${seed}`).toBe(0);
    }
  });
});

describe("what is heard", () => {
  const heard = { connection: "connected" as const, silent: false };

  it("says nothing before the first sound, then says when it stops, and when it comes back", () => {
    const hearing = new Hearing();
    expect(hearing.take({ ...heard, bytes: 0 }, 0)).toBe(false);
    expect(hearing.take({ ...heard, bytes: 0 }, 60_000)).toBe(false);
    expect(hearing.take({ ...heard, bytes: 10 }, 61_000)).toBe(false);
    expect(hearing.take({ ...heard, bytes: 10 }, 61_000 + DEAF_AFTER - 1)).toBe(false);
    expect(hearing.take({ ...heard, bytes: 10 }, 61_000 + DEAF_AFTER)).toBe(true);
    expect(hearing.take({ ...heard, bytes: 11 }, 70_000)).toBe(false);
  });

  it("takes a silence that was agreed on for none, unless the connection is gone", () => {
    const hearing = new Hearing();
    hearing.take({ ...heard, bytes: 10 }, 0);
    expect(hearing.take({ bytes: 10, connection: "connected", silent: true }, 60_000)).toBe(false);
    expect(hearing.take({ bytes: 10, connection: "disconnected", silent: true }, 60_000 + DEAF_AFTER)).toBe(true);
  });

  it("goes on counting over a new connection, whose counters begin anew", () => {
    const hearing = new Hearing();
    hearing.take({ ...heard, bytes: 10 }, 0);
    hearing.reset();
    expect(hearing.take({ ...heard, connection: "new", bytes: 0 }, DEAF_AFTER)).toBe(true);
  });
});
