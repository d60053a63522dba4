// Two people in two browsers who call each other.

import type { Browser, BrowserContext, Page } from "playwright-core";
import { context, page } from "./browser.js";
import { handle } from "./clients.js";

export interface Person {
  made: BrowserContext;
  page: Page;
  id: number;
  handle: string;
}

/** Somebody new, signed in, with `client`, `calls` and the latest `call` as globals of the page. */
export async function caller(browser: Browser, url: string, name: string): Promise<Person> {
  const made = await context(browser);
  const it = await page(made, url);
  const account = { handle: handle(name), password: "a long password" };
  return { made, page: it, id: await enter(it, account, "register"), handle: account.handle };
}

/** Whoever has not answered does not ring: the one who is called has opened the chat too. */
export async function knows(callee: Person, callerOf: Person): Promise<void> {
  await callee.page.evaluate((id) => client.openDirect(id).then(() => undefined), callerOf.id);
}

/** Another device of somebody. */
export async function device(browser: Browser, url: string, of: Person): Promise<Person> {
  const made = await context(browser);
  const it = await page(made, url);
  return { ...of, made, page: it, id: await enter(it, { handle: of.handle, password: "a long password" }, "signIn") };
}

function enter(it: Page, account: { handle: string; password: string }, how: "register" | "signIn"): Promise<number> {
  return it.evaluate(async ([account, how]) => {
    globalThis.client = await chapar.Client.open();
    await client[how](account);
    await client.online();
    globalThis.calls = new chapar.Calls(client);
    globalThis.log = [];
    calls.on("incoming", (call) => void (globalThis.call = call));
    for (const type of ["incoming", "change", "ended"] as const) {
      calls.on(type, (call) => void log.push([Math.round(performance.now()), type, call.status, call.endReason, call.problem?.message].join(" ")));
    }
    globalThis.player = new Audio();
    return client.me!.id;
  }, [account, how] as const);
}

/** Waits in a page until the call has a status. */
export function status(it: Page, wanted: string): Promise<void> {
  return it.evaluate(
    (wanted) =>
      new Promise<void>((resolve, reject) => {
        const look = (): void => {
          const now = globalThis.call?.status;
          if (now === wanted) resolve();
          else if (now === "ended") reject(new Error(`ended: ${call.endReason}; ${log.join("\n")}`));
          else return;
          clearInterval(timer);
        };
        const timer = setInterval(look, 20);
        look();
      }),
    wanted,
  );
}

/** Waits until audio really arrives: RTP packets more than before, and loudness above zero. Returns the path. */
export function hears(it: Page): Promise<{ packets: number; level: number; path: string[] }> {
  return it.evaluate(async () => {
    const pc = call.connection!;
    let first: number | undefined;
    for (;;) {
      const stats = [...(await pc.getStats()).values()];
      const audio = stats.find((it) => it.type === "inbound-rtp" && it.kind === "audio");
      const transport = stats.find((it) => it.type === "transport");
      const pair = stats.find((it) => it.id === transport?.selectedCandidatePairId);
      const kinds = [pair?.localCandidateId, pair?.remoteCandidateId].map((id) => stats.find((it) => it.id === id)?.candidateType);
      first ??= audio?.packetsReceived;
      if (audio && first !== undefined && audio.packetsReceived > first + 20 && audio.audioLevel > 0) {
        return { packets: audio.packetsReceived, level: audio.audioLevel, path: kinds };
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
}
