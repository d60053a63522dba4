import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch } from "../support/browser.js";
import { caller, device, hears, knows, status } from "../support/calls.js";
import { Server } from "../support/server.js";

let server: Server;
let browser: Browser;
beforeAll(async () => void ([server, browser] = await Promise.all([Server.start(), launch()])));
afterAll(() => Promise.all([browser.close(), server.close()]));

it("two people talk: audio arrives both ways, the emoji are the same, mute, hold, video and back, then one hangs up", async () => {
  const [sara, amir] = await Promise.all([caller(browser, server.url, "sara"), caller(browser, server.url, "amir")]);
  await knows(amir, sara);
  await sara.page.evaluate(async (id) => {
    await client.openDirect(id);
    globalThis.call = await calls.call(id);
    call.attach(player);
  }, amir.id);
  await status(sara.page, "ringing_there");
  await status(amir.page, "ringing");
  expect(await amir.page.evaluate(() => call.local.getTracks().length)).toBe(0);
  await amir.page.evaluate(async () => {
    await call.accept();
    call.attach(player);
  });
  await Promise.all([status(sara.page, "active"), status(amir.page, "active")]);
  const [atSara, atAmir] = await Promise.all([hears(sara.page), hears(amir.page)]);
  expect(atSara.level).toBeGreaterThan(0);
  expect(atAmir.level).toBeGreaterThan(0);
  const emoji = await Promise.all([sara, amir].map((it) => it.page.waitForFunction(() => call.emoji && [...call.emoji]).then((e) => e.jsonValue())));
  expect(emoji[0]).toHaveLength(4);
  expect(emoji[0]).toEqual(emoji[1]);

  await sara.page.evaluate(() => call.mute(true));
  await amir.page.waitForFunction(() => call.theirs?.muted === true);
  await sara.page.evaluate(() => call.mute(false));
  await sara.page.evaluate(() => call.hold(true));
  await amir.page.waitForFunction(() => call.theirs?.held === true);
  await sara.page.evaluate(() => call.hold(false));
  await amir.page.waitForFunction(() => call.theirs?.held === false);

  await amir.page.evaluate(() => call.wantVideo());
  await sara.page.waitForFunction(() => call.videoAsked);
  await sara.page.evaluate(() => call.allowVideo(true, { camera: true }));
  for (const { page } of [sara, amir]) {
    await page.waitForFunction(async () => {
      const stats = [...(await call.connection!.getStats()).values()];
      return call.media === "video" && stats.some((it) => it.type === "inbound-rtp" && it.kind === "video" && it.framesDecoded > 5);
    });
  }
  await sara.page.evaluate(() => call.stopVideo());
  for (const { page } of [sara, amir]) await page.waitForFunction(() => call.media === "voice" && call.local.getVideoTracks().length === 0);
  await Promise.all([hears(sara.page), hears(amir.page)]);
  expect(await Promise.all([sara, amir].map((it) => it.page.evaluate(() => call.emoji && [...call.emoji])))).toEqual(emoji);

  // Another path is asked for, and the call goes on.
  await amir.page.evaluate(() => call.restart());
  await sara.page.waitForFunction(() => (call.core.inCall?.generation ?? 0) >= 4 && call.status === "active");
  await Promise.all([hears(sara.page), hears(amir.page)]);
  await sara.page.waitForFunction(() => call.stats !== undefined, undefined, { timeout: 15_000 });
  expect(await sara.page.evaluate(() => call.stats)).toMatchObject({ level: expect.any(String), path: "direct" });

  await amir.page.evaluate(() => call.hangUp());
  for (const { page } of [sara, amir]) await page.waitForFunction(() => call.status === "ended" && call.endReason === "hung_up");
  expect(await sara.page.evaluate(() => [call.local.getTracks().length, call.remote.getTracks().length])).toEqual([0, 0]);
  // The call leaves a line in the chat and one in the log.
  await sara.page.waitForFunction(() => client.messages(call.chatId).some(({ message }) => message.body.kind === "service"));
  const { calls: log } = await sara.page.evaluate(() => client.getCalls());
  expect(log).toMatchObject([{ reason: "hung_up", media: "video", caller: sara.id, callee: amir.id }]);
  await Promise.all([sara.made.close(), amir.made.close()]);
});

it("it rings on two devices: the first answer silences the other, and the call moves over by a transfer", async () => {
  const [sara, phone] = await Promise.all([caller(browser, server.url, "sara"), caller(browser, server.url, "amir")]);
  await knows(phone, sara);
  const laptop = await device(browser, server.url, phone);
  await sara.page.evaluate(async (id) => {
    await client.openDirect(id);
    globalThis.call = await calls.call(id);
    call.attach(player);
  }, phone.id);
  await Promise.all([status(phone.page, "ringing"), status(laptop.page, "ringing")]);
  await phone.page.evaluate(() => call.accept());
  await Promise.all([status(sara.page, "active"), status(phone.page, "active"), status(laptop.page, "elsewhere")]);
  await phone.page.evaluate(async () => {
    const { devices } = await client.getDevices();
    await call.transfer(devices.find((it) => !it.current)!.id);
  });
  await status(laptop.page, "take_over");
  await laptop.page.evaluate(async () => {
    await call.takeOver();
    call.attach(player);
  });
  await Promise.all([status(sara.page, "active"), status(laptop.page, "active"), status(phone.page, "elsewhere")]);
  await Promise.all([hears(sara.page), hears(laptop.page)]);
  const emoji = await Promise.all([sara, laptop].map((it) => it.page.waitForFunction(() => call.emoji && [...call.emoji]).then((e) => e.jsonValue())));
  expect(emoji[0]).toEqual(emoji[1]);
  // The page of the person in the call goes: the other side is told at once.
  await laptop.page.close({ runBeforeUnload: false });
  await sara.page.waitForFunction(() => call.status === "ended");
  await Promise.all([sara.made.close(), phone.made.close(), laptop.made.close()]);
});

it("declined, taken back, and a refused microphone", async () => {
  const [sara, amir] = await Promise.all([caller(browser, server.url, "sara"), caller(browser, server.url, "amir")]);
  await knows(amir, sara);
  const ring = (): Promise<void> =>
    sara.page.evaluate(async (id) => {
      await client.openDirect(id);
      globalThis.call = await calls.call(id, { media: "video" });
    }, amir.id);
  await ring();
  await status(amir.page, "ringing");
  await amir.page.evaluate(() => call.decline());
  await sara.page.waitForFunction(() => call.endReason === "declined");
  await amir.page.waitForFunction(() => call.status === "ended");
  // The next call may come later than the caller knows of it: this one must not be taken for it.
  await amir.page.evaluate(() => void (globalThis.call = undefined!));
  await ring();
  await status(amir.page, "ringing");
  const refused = await amir.page.evaluate(async () => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    return call.accept().catch((error: { code: string }) => error.code);
  });
  expect(refused).toBe("media_denied");
  expect(await amir.page.evaluate(() => call.status)).toBe("ringing");
  await sara.page.evaluate(() => call.hangUp());
  await amir.page.waitForFunction(() => call.endReason === "cancelled");
  await amir.page.waitForFunction(() => client.missedCalls === 1);
  await amir.page.evaluate(() => client.seeCalls());
  await amir.page.waitForFunction(() => client.missedCalls === 0);
  await Promise.all([sara.made.close(), amir.made.close()]);
});
