import { afterAll, beforeAll, expect, it } from "vitest";
import type { ChaparError, Client } from "../../src/index.js";
import { handle, open, until } from "../support/clients.js";
import { Proxy } from "../support/proxy.js";
import { Server } from "../support/server.js";

let server: Server;
beforeAll(async () => void (server = await Server.start()));
afterAll(() => server.close());

/** The same numbers for the same seed (mulberry32). */
function random(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

it("four devices of two people in a group end in one state, whatever the weather", async () => {
  const seed = Number(process.env.CHAPAR_SEED ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}: again with CHAPAR_SEED=${seed}`);
  const draw = random(seed);
  const proxy = await Proxy.to(server.port);
  const clients: Client[] = [];
  for (const name of [handle("sara"), handle("amir")]) {
    const [phone, laptop] = [await open(proxy.url), await open(proxy.url)];
    await phone.register({ handle: name, password: "a long password" });
    await laptop.signIn({ handle: name, password: "a long password" });
    await Promise.all([phone.online(), laptop.online()]);
    clients.push(phone, laptop);
  }
  const chatId = (await clients[0]!.createChat({ kind: "group", title: "g", members: [clients[2]!.me!.id] })).chat.id;
  for (const client of clients) await until(client, () => client.chat(chatId)?.role !== undefined);
  const wishes: Promise<unknown>[] = [];
  const refused: string[] = [];
  const wish_for = (it: Promise<unknown>): void => {
    // A refusal (a reaction to what was just deleted, say) is an answer too; a fault of the server is none.
    wishes.push(it.catch((error: ChaparError) => refused.push(error.code)));
  };
  let sent = 0;
  for (let turn = 0; turn < 120; turn++) {
    const client = clients[draw(4)]!;
    const rows = client.messages(chatId);
    const any = rows[draw(Math.max(rows.length, 1))]?.message;
    const own = rows.filter((it) => it.message.sender === client.me!.id && it.message.body.kind === "text").at(-1)?.message;
    const wish = draw(8);
    if (wish < 4) {
      client.send(chatId, `message ${turn}`);
      sent += 1;
    } else if (wish === 4 && own) wish_for(client.edit(chatId, own.seq, `edited ${turn}`));
    else if (wish === 5 && any) wish_for(client.react(chatId, any.seq, ["👍", "❤️", undefined][draw(3)]));
    else if (wish === 6 && any) wish_for(client.markRead(chatId, any.seq));
    else if (wish === 7) proxy.cutAfter(draw(4_000));
    if (draw(3) === 0) await new Promise((resolve) => setTimeout(resolve, draw(30)));
    client.hurry();
  }
  proxy.cutAfter(Infinity);
  const hurry = setInterval(() => clients.forEach((it) => it.hurry()), 200);
  await Promise.all(wishes);
  expect(refused, `seed ${seed}`).not.toContain("internal");
  for (const client of clients) await until(client, () => client.outbox().length === 0);
  const version = (await clients[0]!.getChat(chatId)).version;
  for (const client of clients) await until(client, () => client.inStep && client.chat(chatId)?.version === version);
  clearInterval(hurry);
  const texts = (client: Client): unknown => client.messages(chatId).map((it) => it.message);
  for (const client of clients) expect(texts(client), `seed ${seed}`).toEqual(texts(clients[0]!));
  const written = clients[0]!.messages(chatId).filter((it) => it.message.body.kind === "text");
  expect(written, `seed ${seed}`).toHaveLength(sent);
  expect(new Set(written.map((it) => it.message.client_id)).size).toBe(sent);
  const mine = (client: Client): unknown => client.messages(chatId).map((it) => it.myReaction);
  expect(mine(clients[1]!), `seed ${seed}`).toEqual(mine(clients[0]!));
  expect(mine(clients[3]!), `seed ${seed}`).toEqual(mine(clients[2]!));
  for (const [a, b] of [[0, 1], [2, 3]] as const) {
    expect(clients[a]!.chat(chatId)!.readSeq).toBe(clients[b]!.chat(chatId)!.readSeq);
  }
  await Promise.all(clients.map((it) => it.close()));
  await proxy.close();
});
