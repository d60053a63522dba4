import { afterEach, describe, expect, it } from "vitest";
import { Emitter } from "../../src/emitter.js";
import { Client } from "../../src/index.js";
import { nameOf } from "../../src/open.js";

/** A socket that never opens. */
class Silent {
  readyState = 0;
  close(): void {}
  send(): void {}
  addEventListener(): void {}
}

const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
afterEach(() => {
  if (before) Object.defineProperty(globalThis, "navigator", before);
});

describe("two clients in one process", () => {
  it("are two accounts, also where the platform has Web Locks", async () => {
    const held = new Set<string>();
    const locks = {
      request: (name: string, _options: unknown, run: () => Promise<void>) => {
        if (held.has(name)) return new Promise(() => {});
        held.add(name);
        return run();
      },
    };
    Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
    const open = (token: string) => Client.open({ url: "http://127.0.0.1:1", token, WebSocket: Silent as never });
    const [a, b] = [await open("TOKEN-A"), await open("TOKEN-B")];
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([a.token, b.token]).toEqual(["TOKEN-A", "TOKEN-B"]);
    await Promise.all([a.close(), b.close()]);
  });

  it("share lock, channel and store with nobody who was given another token", () => {
    const names = [nameOf({}), nameOf({ name: "x" }), nameOf({ token: "a" }), nameOf({ token: "b" }), nameOf({ name: "x", token: "a" })];
    expect(new Set(names).size).toBe(names.length);
    expect(nameOf({ token: "a" })).toBe(nameOf({ token: "a" }));
  });
});

describe("events", () => {
  const missed = (missedCalls: number) => ({ type: "missed_calls", missedCalls }) as never;

  it("are heard from the moment in which they were asked for", async () => {
    const emitter = new Emitter();
    const events = emitter.iterate();
    emitter.emit([missed(1), missed(2)]);
    expect((await events.next()).value).toMatchObject({ missedCalls: 1 });
    expect((await events.next()).value).toMatchObject({ missedCalls: 2 });
    await events.return(undefined);
    expect((await events.next()).done).toBe(true);
  });

  it("are let go of by whoever never began to read", async () => {
    const emitter = new Emitter();
    const events = emitter.iterate();
    await events.return(undefined);
    emitter.emit([missed(1)]);
    expect((await events.next()).done).toBe(true);
  });
});
