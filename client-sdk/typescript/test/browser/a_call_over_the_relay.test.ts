import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch } from "../support/browser.js";
import { caller, hears, knows, status } from "../support/calls.js";
import { Proxy } from "../support/proxy.js";
import { Server } from "../support/server.js";

let server: Server;
let browser: Browser;
beforeAll(async () => void ([server, browser] = await Promise.all([Server.start("--call-loopback", "true"), launch()])));
afterAll(() => Promise.all([browser.close(), server.close()]));

for (const who of ["caller", "callee"] as const) {
  it(`relay-only by the wish of the ${who}: audio arrives, and no address of either is told`, async () => {
    const [sara, amir] = await Promise.all([caller(browser, server.url, "sara"), caller(browser, server.url, "amir")]);
    await knows(amir, sara);
    for (const { page } of [sara, amir]) {
      await page.evaluate(() => {
        globalThis.told = [];
        client.on("call_signal", ({ signal }) => {
          if (signal.kind === "candidates") told.push(...signal.candidates);
          if (signal.kind === "offer" || signal.kind === "answer") told.push(...(signal.sdp.match(/^a=candidate.*$/gm) ?? []));
        });
      });
    }
    await sara.page.evaluate(async ([id, relayOnly]) => {
      await client.openDirect(id);
      globalThis.call = await calls.call(id, { relayOnly });
      call.attach(player);
    }, [amir.id, who === "caller"] as const);
    await status(amir.page, "ringing");
    await amir.page.evaluate(async (relayOnly) => {
      await call.accept({ relayOnly });
      call.attach(player);
    }, who === "callee");
    await Promise.all([status(sara.page, "active"), status(amir.page, "active")]);
    for (const heard of await Promise.all([hears(sara.page), hears(amir.page)])) expect(heard.path).toEqual(["relay", "relay"]);
    for (const { page } of [sara, amir]) {
      const told = await page.evaluate(() => globalThis.told);
      expect(told.length).toBeGreaterThan(0);
      expect(told.filter((it) => !it.includes(" typ relay"))).toEqual([]);
      expect(await page.waitForFunction(() => call.emoji?.length === 4)).toBeTruthy();
    }
    await amir.page.waitForFunction(() => call.stats !== undefined);
    expect(await amir.page.evaluate(() => call.stats)).toMatchObject({ path: expect.stringContaining("relay") });
    await sara.page.evaluate(() => call.hangUp());
    await amir.page.waitForFunction(() => call.status === "ended");
    await Promise.all([sara.made.close(), amir.made.close()]);
  });
}

it("the connection to the server is gone for 5 s in the middle of a call: the media goes on, and the call too", async () => {
  const proxy = await Proxy.to(server.port);
  const [sara, amir] = await Promise.all([caller(browser, server.url, "sara"), caller(browser, proxy.url, "amir")]);
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
  proxy.block();
  await amir.page.evaluate(() => until(client, () => client.connection.state === "offline"));
  await sara.page.waitForFunction(() => call.theirs?.away === true);
  await hears(sara.page);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  proxy.open();
  await amir.page.evaluate(() => {
    client.hurry();
    return client.online();
  });
  await sara.page.waitForFunction(() => call.theirs?.away === false);
  await Promise.all([status(sara.page, "active"), status(amir.page, "active")]);
  await Promise.all([hears(sara.page), hears(amir.page)]);
  await Promise.all([sara.made.close(), amir.made.close()]);
  await proxy.close();
});
