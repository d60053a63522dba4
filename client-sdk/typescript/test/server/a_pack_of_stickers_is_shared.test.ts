import { afterAll, beforeAll, expect, it } from "vitest";
import { newClientId } from "../../src/index.js";
import { person, until } from "../support/clients.js";
import { Server } from "../support/server.js";

let server: Server;
beforeAll(async () => void (server = await Server.start()));
afterAll(() => server.close());

/** A pixel that is seen through. */
const PNG = Uint8Array.from(atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DQAAAEgQGALFXOsAAAAABJRU5ErkJggg=="), (char) => char.charCodeAt(0));

it("one makes a pack, and the other adds it and sends from it", async () => {
  const [mina, john] = [await person(server.url, "Mina"), await person(server.url, "John")];
  const chat = (await mina.openDirect((john.me as { id: number }).id)).chat.id;
  await john.openDirect((mina.me as { id: number }).id);
  const { id: file } = await mina.upload(new Blob([PNG]), { kind: "sticker" });
  const pack = newClientId();
  await mina.setStickerPack(pack, "گربه‌ها", [{ file_id: file, emoji: "😺" }]);
  expect((await mina.getOwnStickerPacks()).packs).toEqual([{ id: pack, title: "گربه‌ها", count: 1 }]);
  const { packs } = await john.getStickerPacks([pack, newClientId()]);
  expect(packs).toMatchObject([{ id: pack, stickers: [{ file_id: file, emoji: "😺" }] }]);
  await john.setItem("sticker_pack", pack, { order: 1 });
  await until(john, () => john.item("sticker_pack", pack)?.order === 1);
  expect(john.items("sticker_pack")).toEqual([{ kind: "sticker_pack", pack_id: pack, value: { order: 1 } }]);

  const { seq } = await john.send(chat, { kind: "sticker", file_id: file, pack_id: pack });
  await until(mina, () => mina.messages(chat).some((it) => it.message.seq === seq));
  expect(mina.messages(chat).find((it) => it.message.seq === seq)?.message.body).toMatchObject({ kind: "sticker", emoji: "😺", pack_id: pack, file: { id: file } });
  const picture = await fetch(john.stickerUrl(file));
  expect([picture.status, picture.headers.get("content-type")]).toEqual([200, "image/webp"]);
  await expect(john.deleteStickerPack(pack)).rejects.toMatchObject({ code: "forbidden" });
  await mina.deleteStickerPack(pack);
  await expect(john.send(chat, { kind: "sticker", file_id: file, pack_id: pack })).rejects.toMatchObject({ code: "file_not_found" });
  await Promise.all([mina, john].map((it) => it.close()));
});
