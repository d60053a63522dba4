import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../src/index.js";
import { handle, open, person, texts, until } from "../support/clients.js";
import { Proxy } from "../support/proxy.js";
import { Server } from "../support/server.js";

let server: Server;
beforeAll(async () => void (server = await Server.start()));
afterAll(() => server.close());

it("a network that breaks again and again loses, doubles and reorders nothing", async () => {
  const proxy = await Proxy.to(server.port);
  const [sara, amir] = [await person(proxy.url, "sara"), await person(proxy.url, "amir")];
  const chatId = (await sara.openDirect(amir.me!.id)).chat.id;
  const written: { sara: string[]; amir: string[] } = { sara: [], amir: [] };
  const cuts = [700, 1_500, 3_000, 200, 5_000, 900, 2_500, 1_200];
  for (let round = 0; round < 40; round++) {
    for (const [name, client] of [["sara", sara], ["amir", amir]] as const) {
      const text = `${name} ${round}`;
      written[name].push(text);
      client.send(chatId, text);
    }
    if (round % 5 === 0) proxy.cutAfter(cuts[(round / 5) % cuts.length]!);
    // Lets the frames go, so that the cuts fall at different moments of the exchange.
    await new Promise((resolve) => setTimeout(resolve, 25));
    for (const client of [sara, amir]) client.hurry();
  }
  proxy.cutAfter(Infinity);
  const complete = (it: Client): boolean => it.outbox().length === 0 && it.inStep && texts(it, chatId).length === 80;
  const hurry = setInterval(() => [sara, amir].forEach((it) => it.hurry()), 200);
  await Promise.all([sara, amir].map((it) => until(it, () => complete(it))));
  clearInterval(hurry);
  expect(texts(amir, chatId)).toEqual(texts(sara, chatId));
  for (const name of ["sara", "amir"] as const) {
    expect(texts(sara, chatId).filter((text) => text.startsWith(name))).toEqual(written[name]);
  }
  await Promise.all([sara.close(), amir.close()]);
  await proxy.close();
});

it("what is written without a network goes out when it is back, and what was missed comes", async () => {
  const proxy = await Proxy.to(server.port);
  const [sara, amir] = [await person(proxy.url, "sara"), await person(server.url, "amir")];
  const chatId = (await sara.openDirect(amir.me!.id)).chat.id;
  await until(amir, () => amir.chat(chatId) !== undefined);
  proxy.block();
  await until(sara, () => sara.connection.state === "offline");
  const mine = ["one", "two", "three"].map((text) => sara.send(chatId, text));
  expect(sara.outbox(chatId).map((it) => it.state.state)).toEqual(["waiting", "waiting", "waiting"]);
  const discarded = sara.send(chatId, "never sent");
  discarded.stored.catch(() => {});
  expect(await sara.cancel(discarded.clientId)).toBe(true);
  // More than a difference of one page, so that catching up takes several.
  for (let n = 0; n < 120; n++) await amir.send(chatId, `missed ${n}`).stored;
  await amir.edit(chatId, 5, "edited while away");
  proxy.open();
  sara.hurry();
  await Promise.all(mine.map((it) => it.stored));
  await until(sara, () => sara.inStep && texts(sara, chatId).length === 123);
  expect(texts(sara, chatId)[4]).toBe("edited while away");
  expect(texts(sara, chatId).slice(120)).toEqual(["one", "two", "three"]);
  await Promise.all([sara.close(), amir.close()]);
  await proxy.close();
});

it("a restarted and a killed server are found again", async () => {
  const name = handle("sara");
  const sara = await open(server.url);
  await sara.register({ handle: name, password: "a long password" });
  await sara.online();
  const saved = await sara.openDirect(sara.me!.id);
  const chatId = saved.chat.id;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await sara.send(chatId, `before ${signal}`).stored;
    await server.stop(signal);
    const while_away = sara.send(chatId, `during ${signal}`);
    await server.start();
    sara.hurry();
    const hurry = setInterval(() => sara.hurry(), 200);
    await while_away.stored;
    clearInterval(hurry);
  }
  await until(sara, () => sara.inStep && texts(sara, chatId).length === 4);
  expect(texts(sara, chatId)).toEqual(["before SIGTERM", "during SIGTERM", "before SIGKILL", "during SIGKILL"]);
  await sara.close();
});
