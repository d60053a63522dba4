import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ClientEvent } from "../../src/core/event.js";
import { DEFAULT_CONFIG } from "../../src/core/session_io.js";
import { viewOf } from "../../src/open.js";
import { MemoryStore } from "../../src/store/memory.js";
import { Tabs, type TabsPlatform } from "../../src/tabs.js";
import { Locks } from "../support/tabs.js";

/** A socket that never opens, and says when it is closed. */
class Silent {
  static open = 0;
  readyState = 0;
  constructor() {
    Silent.open += 1;
  }
  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    Silent.open -= 1;
  }
  send(): void {}
  addEventListener(): void {}
}

/** Channels between the tabs of one browser; what comes to a tab that sleeps waits. */
class Browser {
  readonly locks = new Locks();
  readonly store = new MemoryStore();
  readonly tabs: Tab[] = [];
  said: string[] = [];

  async tab(visible = true): Promise<Tab> {
    const tab = new Tab(this, visible, viewOf(await this.store.load(), true, "token"));
    this.tabs.push(tab);
    await turn();
    return tab;
  }
}

class Tab {
  asleep = false;
  visible: boolean;
  readonly events: ClientEvent[] = [];
  readonly backend: Tabs;
  #inbox: unknown[] = [];
  #channel = { onmessage: undefined as ((event: { data: unknown }) => void) | undefined };

  constructor(browser: Browser, visible: boolean, view: ReturnType<typeof viewOf>) {
    this.visible = visible;
    const self = this;
    const platform: TabsPlatform = {
      channel: () =>
        Object.assign(this.#channel, {
          close: () => {},
          postMessage: (data: { say: string }) => {
            browser.said.push(data.say);
            for (const tab of browser.tabs) if (tab !== this) tab.hear(structuredClone(data));
          },
        }) as unknown as BroadcastChannel,
      lock: (name, options, held) => browser.locks.request(name, options, held),
      get visible() {
        return self.visible && !self.asleep;
      },
    };
    const options = { websocketUrl: "ws://127.0.0.1:1/ws", httpUrl: "http://127.0.0.1:1", WebSocket: Silent as never, config: DEFAULT_CONFIG, store: browser.store };
    this.backend = new Tabs(platform, "test", options, view, (events) => this.events.push(...events));
  }

  hear(data: unknown): void {
    this.#inbox.push(data);
    queueMicrotask(() => this.#deliver());
  }

  wake(): void {
    this.asleep = false;
    this.#deliver();
  }

  #deliver(): void {
    while (!this.asleep && this.#inbox.length) this.#channel.onmessage?.({ data: this.#inbox.shift() });
  }
}

const turn = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};
const item = (id: string) => ({ client_id: id, chat_id: 7, body: { kind: "text" as const, text: id }, at: 0, order: 1 });

beforeEach(() => {
  Silent.open = 0;
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe("a leader that sleeps", () => {
  it("loses the connection to the tab that is looked at, which goes on with everything", async () => {
    const browser = new Browser();
    const [first, second] = [await browser.tab(), await browser.tab()];
    expect([first.backend.leads, second.backend.leads]).toEqual([true, false]);
    void first.backend.do({ op: "send", item: item("a") }).catch(() => {});
    await turn();
    first.asleep = true;
    void second.backend.do({ op: "send", item: item("b") }).catch(() => {});
    await vi.advanceTimersByTimeAsync(15_000);
    expect(second.backend.leads).toBe(true);
    expect(second.backend.view.outbox.map((it) => it.item.client_id).sort()).toEqual(["a", "b"]);
    // It wakes, has lost the lock, and follows: one connection, one writer.
    first.wake();
    await vi.advanceTimersByTimeAsync(100);
    expect(first.backend.leads).toBe(false);
    expect(Silent.open).toBe(1);
    expect(first.backend.view.outbox.map((it) => it.item.client_id).sort()).toEqual(["a", "b"]);
    // And leads again when the other one goes.
    await second.backend.close();
    await vi.advanceTimersByTimeAsync(100);
    expect(first.backend.leads).toBe(true);
    await first.backend.close();
  });

  it("keeps it while nobody looks at another tab, and while it answers", async () => {
    const browser = new Browser();
    const [first, second] = [await browser.tab(), await browser.tab(false)];
    first.asleep = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(first.backend.leads).toBe(true);
    first.wake();
    second.visible = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([first.backend.leads, second.backend.leads]).toEqual([true, false]);
    await Promise.all([first.backend.close(), second.backend.close()]);
  });
});

describe("a tab that leads", () => {
  it("tells nobody of what changes as long as it is alone, and all of it to those who come", async () => {
    const browser = new Browser();
    const first = await browser.tab();
    browser.said = [];
    await first.backend.do({ op: "preference", key: "a", value: 1 });
    await turn();
    expect(browser.said).toEqual([]);
    const second = await browser.tab(false);
    expect(second.backend.view.preferences.get("a")).toBe(1);
    await first.backend.do({ op: "preference", key: "a", value: 2 });
    await turn();
    expect(second.backend.view.preferences.get("a")).toBe(2);
    await Promise.all([first.backend.close(), second.backend.close()]);
  });

  it("hears of one that asked before it was there", async () => {
    const browser = new Browser();
    const first = await browser.tab();
    const second = await browser.tab(false);
    // The one that leads from now on has heard nothing of the third, which came while it slept.
    second.asleep = true;
    const third = await browser.tab(false);
    await first.backend.close();
    second.wake();
    await turn();
    expect(second.backend.leads).toBe(true);
    await second.backend.do({ op: "preference", key: "a", value: 3 });
    await turn();
    expect(third.backend.view.preferences.get("a")).toBe(3);
    await Promise.all([second.backend.close(), third.backend.close()]);
  });
});

describe("a tab that follows", () => {
  it("asks once for what it missed, however much more comes before the answer", async () => {
    const browser = new Browser();
    const [first, second] = [await browser.tab(), await browser.tab()];
    // The second one misses a change.
    second.hear = () => {};
    await first.backend.do({ op: "preference", key: "x", value: 0 });
    await turn();
    delete (second as { hear?: unknown }).hear;
    browser.said = [];
    first.asleep = true;
    for (let value = 1; value <= 5; value++) await first.backend.do({ op: "preference", key: "x", value });
    await turn();
    expect(browser.said.filter((say) => say === "who")).toHaveLength(1);
    first.wake();
    await turn();
    expect(second.backend.view.preferences.get("x")).toBe(5);
    await Promise.all([first.backend.close(), second.backend.close()]);
  });
});

it("a message given while nobody is signed in is answered when everything is forgotten", async () => {
  const browser = new Browser();
  const tab = await browser.tab();
  await tab.backend.do({ op: "forget" });
  const stored = tab.backend.do({ op: "send", item: item("c") });
  stored.catch(() => {});
  await turn();
  await tab.backend.do({ op: "forget" });
  await expect(stored).rejects.toMatchObject({ code: "signed_out" });
  await tab.backend.close();
});
