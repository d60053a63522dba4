import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { person, until } from "../support/clients.js";
import { Proxy } from "../support/proxy.js";
import { Server } from "../support/server.js";
import type { Client, MessageView } from "../../src/index.js";

let server: Server;
beforeAll(async () => void (server = await Server.start()));
afterAll(() => server.close());

const sha = (bytes: Uint8Array | ArrayBuffer): string => createHash("sha256").update(new Uint8Array(bytes)).digest("hex");
const document = (client: Client, chat: number, name: string): MessageView | undefined =>
  client.messages(chat).find(({ message: { body } }) => body.kind === "document" && (body as { file?: { name?: string } }).file?.name === name);

async function two(url = server.url): Promise<{ mina: Client; john: Client; chat: number }> {
  const [mina, john] = [await person(url, "Mina"), await person(server.url, "John")];
  const chat = (await mina.openDirect((john.me as { id: number }).id)).chat.id;
  await john.openDirect((mina.me as { id: number }).id);
  return { mina, john, chat };
}

it("a file arrives whole, by ranges, too, and its link is for who may read it", async () => {
  const { mina, john, chat } = await two();
  const stranger = await person(server.url, "Stranger");
  const bytes = randomBytes(700_000);
  await mina.sendFile(chat, new File([bytes], "گزارش.bin"), { text: "سلام" });
  await until(john, () => document(john, chat, "گزارش.bin") !== undefined);
  const { message } = document(john, chat, "گزارش.bin") as MessageView;
  const ref = { seq: message.seq, fileId: (message.body as { file: { id: string } }).file.id };
  expect(message.body).toMatchObject({ text: "سلام", file: { size: 700_000 } });
  const whole = await john.download(chat, ref);
  expect(sha(await whole.arrayBuffer())).toBe(sha(bytes));
  const part = await john.download(chat, ref, { range: [100, 199] });
  expect([part.status, sha(await part.arrayBuffer())]).toEqual([206, sha(bytes.subarray(100, 200))]);
  await expect(stranger.links(chat, [ref])).rejects.toMatchObject({ code: "chat_not_found" });
  await Promise.all([mina, john, stranger].map((it) => it.close()));
});

it("an album comes in one change, in its order", async () => {
  const { mina, john, chat } = await two();
  const names = ["a.bin", "b.bin", "c.bin"];
  await mina.sendAlbum(chat, names.map((name) => ({ file: new File([randomBytes(50_000)], name) })), { replyTo: undefined } as object);
  await until(john, () => document(john, chat, "c.bin") !== undefined);
  const seqs = names.map((name) => document(john, chat, name)?.message.seq ?? 0);
  expect(seqs).toEqual([seqs[0], (seqs[0] ?? 0) + 1, (seqs[0] ?? 0) + 2]);
  expect(mina.outbox(chat)).toEqual([]);
  await Promise.all([mina, john].map((it) => it.close()));
});

it("an upload that is cut again and again, and whose server dies in the middle, arrives whole and once", async () => {
  const proxy = await Proxy.to(server.port);
  const { mina, john, chat } = await two(proxy.url);
  const bytes = randomBytes(12_000_000);
  const given = mina.sendFile(chat, new File([bytes], "film.bin"));
  let [cuts, died] = [0, false];
  const hinder = setInterval(() => {
    const state = mina.outbox(chat)[0]?.state;
    if (state?.state !== "uploading") return;
    if (!died && state.sent > 1_000_000) {
      died = true;
      void server.stop("SIGKILL").then(() => server.start()).then(() => mina.hurry());
    } else if (cuts < 8) {
      cuts += 1;
      proxy.cutAfter(1 + Math.floor(Math.random() * 400_000));
      mina.hurry();
    }
  }, 150);
  await given;
  clearInterval(hinder);
  expect(died).toBe(true);
  await until(john, () => document(john, chat, "film.bin") !== undefined);
  const { message } = document(john, chat, "film.bin") as MessageView;
  const whole = await john.download(chat, { seq: message.seq, fileId: (message.body as { file: { id: string } }).file.id });
  expect(sha(await whole.arrayBuffer())).toBe(sha(bytes));
  expect(john.messages(chat).filter(({ message: { body } }) => body.kind === "document")).toHaveLength(1);
  await Promise.all([mina, john].map((it) => it.close()));
  await proxy.close();
}, 120_000);
