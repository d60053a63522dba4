import { afterAll, beforeAll, expect, it } from "vitest";
import { ChaparError } from "../../src/index.js";
import { handle, open, person, texts, until } from "../support/clients.js";
import { Server } from "../support/server.js";

let server: Server;
beforeAll(async () => void (server = await Server.start()));
afterAll(() => server.close());

it("two people write, edit, delete, react and read, and see the same", async () => {
  const [sara, amir] = [await person(server.url, "sara"), await person(server.url, "amir")];
  const chatId = (await sara.openDirect(amir.me!.id)).chat.id;
  await until(amir, () => amir.chat(chatId)?.role !== undefined);
  const sending = sara.send(chatId, "سلام 👋");
  expect(sara.outbox(chatId).map((it) => it.item.client_id)).toEqual([sending.clientId]);
  const stored = await sending.stored;
  expect(stored.seq).toBe(1);
  await until(amir, () => texts(amir, chatId).length === 1);
  await until(sara, () => sara.outbox().length === 0 && texts(sara, chatId).length === 1);
  expect(amir.chat(chatId)).toMatchObject({ unread: 1, peer: sara.me!.id });

  expect([sara.chat(chatId)?.request, amir.chat(chatId)?.request]).toEqual([false, true]);
  amir.send(chatId, "درود", { replyTo: 1 });
  await amir.markRead(chatId, 1);
  await amir.react(chatId, 1, "👍");
  await until(sara, () => sara.chat(chatId)?.othersRead === 1 && sara.messages(chatId)[0]?.message.reactions?.length === 1);
  expect(amir.messages(chatId)[0]?.myReaction).toBe("👍");
  await sara.edit(chatId, 1, "سلام دارا");
  await until(amir, () => texts(amir, chatId)[0] === "سلام دارا");
  await sara.delete(chatId, 1);
  await until(amir, () => texts(amir, chatId)[0] === "deleted");
  await until(sara, () => texts(sara, chatId)[1] === "درود");
  expect(texts(sara, chatId)).toEqual(texts(amir, chatId));

  expect(amir.chat(chatId)?.request).toBe(false);
  const told: unknown[] = [];
  sara.on("item", ({ item }) => told.push(item));
  await sara.setItem("mute", chatId, {});
  await sara.setItems([{ kind: "setting", name: "who_may_call", value: "nobody" }, { kind: "contact", user_id: amir.me!.id, value: { name: "دایی" } }]);
  await until(sara, () => sara.items("contact").length === 1 && sara.audience("who_may_call") === "nobody");
  expect([sara.item("mute", chatId), sara.item("contact", amir.me!.id)?.name, sara.audience("who_may_see")]).toEqual([{}, "دایی", "everybody"]);
  await sara.setItem("mute", chatId);
  await until(sara, () => sara.item("mute", chatId) === undefined);
  expect(told.at(-1)).toEqual({ kind: "mute", chat_id: chatId });

  let seen = false;
  amir.on("typing", ({ userId }) => (seen ||= userId === sara.me!.id));
  sara.setTyping(chatId);
  await until(amir, () => seen);

  expect(sara.user(amir.me!.id)).toBeUndefined();
  await until(sara, () => sara.user(amir.me!.id)?.name === "amir");
  await Promise.all([sara.close(), amir.close()]);
});

it("a refusal has its code and action", async () => {
  const sara = await person(server.url, "sara");
  const refused = sara.send(999_999, "to nowhere");
  await expect(refused.stored).rejects.toMatchObject({ name: "ChaparError", code: "chat_not_found", action: "give_up" });
  expect(sara.outbox()[0]?.state.state).toBe("failed");
  expect(await sara.cancel(refused.clientId)).toBe(true);
  expect(sara.outbox()).toEqual([]);
  await expect(sara.resolve("nobody_of_this_name")).rejects.toBeInstanceOf(ChaparError);
  const other = await open(server.url);
  await expect(other.signIn({ handle: handle("x"), password: "wrong password" })).rejects.toMatchObject({ code: "invalid_credentials" });
  await expect(other.request("ping", {})).rejects.toMatchObject({ code: "signed_out", action: "re_authenticate" });
  await Promise.all([sara.close(), other.close()]);
});

it("two devices of one person see the same read marks and messages", async () => {
  const name = handle("mina");
  const phone = await open(server.url);
  await phone.register({ handle: name, password: "a long password", device: "phone" });
  const laptop = await open(server.url);
  await laptop.signIn({ handle: name, password: "a long password", device: "laptop" });
  await Promise.all([phone.online(), laptop.online()]);
  const amir = await person(server.url, "amir");
  const chatId = (await amir.openDirect(phone.me!.id)).chat.id;
  await amir.send(chatId, "one").stored;
  await until(laptop, () => laptop.chat(chatId)?.unread === 1);
  await phone.markRead(chatId, 1);
  await until(laptop, () => laptop.chat(chatId)?.unread === 0);
  await phone.send(chatId, "two").stored;
  await until(laptop, () => texts(laptop, chatId).length === 2);
  const devices = (await laptop.getDevices()).devices;
  expect(devices).toHaveLength(2);
  const other = devices.find((it) => !it.current)!;
  await laptop.revokeDevice(other.id);
  await until(phone, () => phone.connection.state === "stopped");
  expect(phone.connection).toMatchObject({ stop: { reason: "signed_out" } });
  await Promise.all([phone.close(), laptop.close(), amir.close()]);
});
