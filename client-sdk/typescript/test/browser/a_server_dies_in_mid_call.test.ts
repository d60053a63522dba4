import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch } from "../support/browser.js";
import { caller, hears, knows, status } from "../support/calls.js";
import { Server } from "../support/server.js";

let server: Server;
let browser: Browser;
beforeAll(async () => void ([server, browser] = await Promise.all([Server.start(), launch()])));
afterAll(() => Promise.all([browser.close(), server.close()]));

it("the one node dies without a word: once it is back the call ends on both sides, and no microphone stays open", async () => {
  const [sara, amir] = await Promise.all([caller(browser, server.url, "sara"), caller(browser, server.url, "amir")]);
  await knows(amir, sara);
  await sara.page.evaluate(async (id) => {
    await client.openDirect(id);
    globalThis.call = await calls.call(id);
    call.attach(player);
  }, amir.id);
  await status(amir.page, "ringing");
  await amir.page.evaluate(async () => {
    await call.accept();
    call.attach(player);
  });
  await Promise.all([status(sara.page, "active"), status(amir.page, "active")]);
  await Promise.all([hears(sara.page), hears(amir.page)]);
  for (const { page } of [sara, amir]) await page.evaluate(() => void (globalThis.tracks = call.local.getTracks()));
  await server.stop("SIGKILL");
  await server.start();
  for (const { page } of [sara, amir]) {
    await page.evaluate(async () => {
      client.hurry();
      await client.online();
    });
    await page.waitForFunction(() => call.status === "ended", undefined, { timeout: 15_000 });
    expect(await page.evaluate(() => [call.endReason, call.local.getTracks().length, calls.list().length])).toEqual(["node_lost", 0, 0]);
    expect(await page.evaluate(() => tracks.map((track) => track.readyState))).toEqual(["ended"]);
  }
  // The next one is not refused as if that one went on.
  await sara.page.evaluate(async (id) => void (globalThis.call = await calls.call(id)), amir.id);
  await status(sara.page, "ringing_there");
  await sara.page.evaluate(() => call.hangUp());
  await Promise.all([sara.made.close(), amir.made.close()]);
});
