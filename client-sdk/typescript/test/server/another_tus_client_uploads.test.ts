// tus-js-client, as people have it, against the real server: whole, cut, killed, in parts, with a length told last.

import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { Upload, type UploadOptions } from "tus-js-client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { person } from "../support/clients.js";
import { Proxy } from "../support/proxy.js";
import { Server } from "../support/server.js";

let server: Server;
beforeAll(async () => void (server = await Server.start()));
afterAll(() => server.close());

interface Info {
  state: string;
  size: number;
  received: number;
  name?: string;
}

interface Told {
  url: string;
  accepted: number;
  retries: number;
}

async function token(): Promise<string> {
  const client = await person(server.url, "sara");
  const { token } = client;
  await client.close();
  return token!;
}

/** Uploads to the end, with what the test does meanwhile. */
function upload(bytes: Buffer | Readable, token: string, options: UploadOptions, meanwhile?: (sent: number, upload: Upload) => void): Promise<Told> {
  return new Promise((resolve, reject) => {
    const told: Told = { url: "", accepted: 0, retries: 0 };
    const upload = new Upload(bytes, {
      headers: { Authorization: `Bearer ${token}` },
      retryDelays: Array.from({ length: 40 }, (_, n) => Math.min(100 * n, 1500)),
      metadata: { kind: "document", filename: "نامه.bin", filetype: "application/octet-stream" },
      onProgress: (sent) => meanwhile?.(sent, upload),
      onChunkComplete: (_, accepted) => void (told.accepted = accepted),
      onShouldRetry: () => (told.retries++, true),
      onSuccess: () => resolve({ ...told, url: upload.url ?? "" }),
      onError: reject,
      ...options,
    });
    upload.start();
  });
}

async function becomesReady(token: string, url: string): Promise<Info> {
  const file_id = url.split("/").at(-1);
  for (;;) {
    const answer = await fetch(`${server.url}/api/v1/call/get_file`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify({ file_id }),
    });
    expect(answer.status).toBe(200);
    const info = (await answer.json()) as Info;
    if (info.state === "ready") return info;
    expect(["uploading", "preparing"]).toContain(info.state);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it("a file arrives whole, by its name", async () => {
  const mine = await token();
  const bytes = randomBytes(1_500_000);
  const { url } = await upload(bytes, mine, { endpoint: `${server.url}/files`, chunkSize: 400_000 });
  expect(await becomesReady(mine, url)).toMatchObject({ size: bytes.length, received: bytes.length, name: "نامه.bin" });
});

it("a line that is cut again and again costs nothing but time", async () => {
  const mine = await token();
  const proxy = await Proxy.to(server.port);
  const bytes = randomBytes(3_000_000);
  let cuts = 0;
  const seen = new Set<number>();
  const { url, retries } = await upload(bytes, mine, { endpoint: `${proxy.url}/files` }, (sent) => {
    const step = Math.floor(sent / 300_000);
    if (cuts < 6 && sent < bytes.length && !seen.has(step)) {
      seen.add(step);
      cuts++;
      proxy.cutAfter(1 + Math.floor(Math.random() * 200_000));
    }
  });
  expect(retries).toBeGreaterThan(0);
  expect(await becomesReady(mine, url)).toMatchObject({ size: bytes.length, received: bytes.length });
  await proxy.close();
});

it("a server that is killed in the middle is found again", async () => {
  const mine = await token();
  const bytes = randomBytes(4_000_000);
  let killed: Promise<void> | undefined;
  const { url, retries } = await upload(bytes, mine, { endpoint: `${server.url}/files`, chunkSize: 500_000 }, (sent) => {
    if (sent > 1_200_000) killed ??= server.stop("SIGKILL").then(() => server.start());
  });
  await killed;
  expect(retries).toBeGreaterThan(0);
  expect(await becomesReady(mine, url)).toMatchObject({ size: bytes.length, received: bytes.length });
});

it("four parts side by side become one file", async () => {
  const mine = await token();
  const bytes = randomBytes(1_000_000);
  const { url } = await upload(bytes, mine, { endpoint: `${server.url}/files`, parallelUploads: 4 });
  expect(await becomesReady(mine, url)).toMatchObject({ size: bytes.length });
});

it("a stream tells its length at its end", async () => {
  const mine = await token();
  const bytes = randomBytes(700_000);
  const { url } = await upload(Readable.from([bytes]), mine, {
    endpoint: `${server.url}/files`,
    uploadLengthDeferred: true,
    chunkSize: 200_000,
  });
  expect(await becomesReady(mine, url)).toMatchObject({ size: bytes.length });
});

it("with the data at its creation, and ended by whoever began it", async () => {
  const mine = await token();
  const { url } = await upload(randomBytes(10_000), mine, { endpoint: `${server.url}/files`, uploadDataDuringCreation: true });
  expect(await becomesReady(mine, url)).toMatchObject({ size: 10_000 });
  const open = await new Promise<string>((resolve, reject) => {
    const upload = new Upload(randomBytes(2_000_000), {
      endpoint: `${server.url}/files`,
      headers: { Authorization: `Bearer ${mine}` },
      chunkSize: 100_000,
      onChunkComplete: () => void upload.abort(true).then(() => resolve(upload.url ?? ""), reject),
      onError: reject,
    });
    upload.start();
  });
  const gone = await fetch(open, { method: "HEAD", headers: { Authorization: `Bearer ${mine}`, "Tus-Resumable": "1.0.0" } });
  expect(gone.status).toBe(404);
});
