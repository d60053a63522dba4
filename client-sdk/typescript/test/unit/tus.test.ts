import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Growing, terminate, upload, type UploadOptions } from "../../src/files/tus.js";
import { TusServer } from "../support/tus.js";

let server: TusServer;
beforeEach(async () => void (server = await TusServer.start()));
afterEach(() => server.close());

const bytes = (size: number, seed = 7): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(size);
  for (let at = 0, x = seed; at < size; at++) out[at] = (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 16;
  return out;
};
/** Back-off without the waiting. */
const options = (more: Partial<UploadOptions> = {}): UploadOptions => ({ base: server.url, token: "secret", kind: "document", dice: () => 0, ...more });
const same = (id: string, it: Uint8Array): boolean => server.content(id).equals(it);

describe("an upload", () => {
  it("brings all bytes, with its kind, type and a name in any script", async () => {
    const data = bytes(1_000_000);
    const sent: number[] = [];
    const id = await upload(new Blob([data]), options({ kind: "photo", name: "عکس 🌸.jpg", type: "image/jpeg", onSent: (it) => sent.push(it) }));
    expect(same(id, data)).toBe(true);
    expect(server.uploads.get(id)?.meta).toEqual({ kind: "photo", filename: "عکس 🌸.jpg", filetype: "image/jpeg" });
    expect(sent.at(-1)).toBe(data.length);
    expect([...sent].sort((a, b) => a - b)).toEqual(sent);
  });

  it("of nothing is one request", async () => {
    const id = await upload(new Blob([]), options());
    expect([server.content(id).length, server.asked]).toEqual([0, ["POST"]]);
  });

  it("sends pieces of at most 8 MiB, however fast it goes", async () => {
    const data = bytes(40 * 1024 * 1024);
    const id = await upload(new Blob([data]), options());
    expect(same(id, data)).toBe(true);
    expect(server.largest).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(server.asked.length).toBeLessThan(12);
  });

  it("goes on where it stood, whatever is cut, lost or refused for now", async () => {
    const seed = Number(process.env.CHAPAR_SEED ?? Date.now() % 1e9);
    console.log(`CHAPAR_SEED=${seed}`);
    let x = seed >>> 0;
    const roll = (bound: number): number => ((x = (Math.imul(x, 1664525) + 1013904223) >>> 0) >>> 8) % bound;
    const data = bytes(3_000_000, seed);
    let left = 20;
    server.each = () => {
      if (left === 0 || roll(2) === 0) return undefined;
      left -= 1;
      return [{ cutAfter: 1 + roll(200_000) }, { loseAnswer: true } as const, { status: 503 }, { status: 423 }, { status: 409 }, { status: 460 }, { status: 429 }][roll(7)];
    };
    const id = await upload(new Blob([data]), options());
    expect(same(id, data)).toBe(true);
  });

  it("goes on after a crash by its id, without sending again what is there", async () => {
    const data = bytes(600_000);
    const end = new AbortController();
    let id = "";
    const first = upload(new Blob([data]), options({ signal: end.signal, onBegin: (it) => (id = it), onSent: () => end.abort() }));
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    const before = server.content(id).length;
    expect(before).toBeGreaterThan(0);
    server.asked.length = 0;
    expect(await upload(new Blob([data]), options({ id }))).toBe(id);
    expect(same(id, data)).toBe(true);
    expect(server.asked[0]).toBe("HEAD");
    expect(server.asked).not.toContain("POST");
  });

  it("begins anew when the server has forgotten it, and says so", async () => {
    const data = bytes(300_000);
    let anew = 0;
    const id = await upload(new Blob([data]), options({ id: "gone", onAnew: () => (anew += 1) }));
    expect([same(id, data), anew]).toEqual([true, 1]);
  });

  it("says why it does not move, and waits as long as the server named", async () => {
    const code = "quota_exceeded";
    server.mischief = [{ status: 429, body: { error: { code, message: "", action: "retry", retry_after_ms: 60_000 } } }];
    const said: string[] = [];
    const waits: (() => void)[] = [];
    const done = upload(new Blob([bytes(10)]), options({ onHindered: (it) => said.push(it), onWait: (hurry) => waits.push(hurry) }));
    await expect.poll(() => waits.length).toBe(1);
    expect([said, server.asked]).toEqual([[code], ["POST"]]);
    waits[0]?.();
    await done;
  });

  it.each([
    [413, { error: { code: "file_too_large", message: "", action: "give_up" } }, "file_too_large", "give_up"],
    [413, undefined, "file_too_large", "give_up"],
    [422, { error: { code: "file_refused", message: "", action: "give_up" } }, "file_refused", "give_up"],
    [401, undefined, "signed_out", "re_authenticate"],
  ])("that is refused for good (%i) ends with the server's code", async (status, body, code, action) => {
    server.mischief = [{ status, ...(body && { body }) }];
    await expect(upload(new Blob([bytes(10)]), options())).rejects.toMatchObject({ code, action });
    expect(server.asked).toEqual(["POST"]);
  });

  it("of a file that is gone from the disk ends, and is not tried for ever", async () => {
    const gone = new Blob([bytes(300_000)]);
    const piece = { size: 10, arrayBuffer: () => Promise.reject(new Error("NotReadableError")), stream: () => new ReadableStream({ start: (it) => it.error(new Error("gone")) }) };
    gone.slice = () => piece as unknown as Blob;
    const fetching = (() => Promise.reject(new TypeError("Failed to fetch"))) as typeof fetch;
    await expect(upload(gone, options({ fetch: fetching }))).rejects.toMatchObject({ code: "file_unreadable" });
  });

  it("can be taken back", async () => {
    const id = await upload(new Blob([bytes(10)]), options());
    await terminate(id, { base: server.url, token: "secret" });
    expect(server.uploads.has(id)).toBe(false);
    // The server still takes the connection that was cut off for the writer, and says when to come again.
    const other = await upload(new Blob([bytes(20)]), options());
    server.mischief.push({ method: "DELETE", status: 423, body: { code: "upload_locked", message: "somebody writes", action: "retry", retry_after_ms: 5 } });
    await terminate(other, { base: server.url, token: "secret" });
    expect(server.uploads.has(other)).toBe(false);
  });
});

describe('an upload that grows while its file is made', () => {
  const pieces = [bytes(3_000, 1), bytes(2_000, 2), bytes(500, 3)];
  const whole = new Blob(pieces);
  const growing = (): Growing => new Growing(options({ kind: 'voice' }));

  it('has only its end to send when it is over', async () => {
    const it = growing();
    it.add(new Blob(pieces.slice(0, 1)));
    it.add(new Blob(pieces.slice(1, 2)));
    const id = await it.settled();
    server.asked.length = 0;
    expect(await upload(whole, options({ id }))).toBe(id);
    expect(server.asked).toEqual(['HEAD', 'PATCH']);
    expect(server.content(id ?? '').equals(Buffer.from(await whole.arrayBuffer()))).toBe(true);
    expect(server.uploads.get(id ?? '')?.length).toBe(5_500);
  });

  it('is whole also when nothing is left but to say so', async () => {
    const it = growing();
    for (const piece of pieces) it.add(new Blob([piece]));
    const id = await it.settled();
    expect(await upload(whole, options({ id }))).toBe(id);
    expect(server.uploads.get(id ?? '')?.length).toBe(5_500);
  });

  it('that broke on the way goes on where it stood', async () => {
    const it = growing();
    it.add(new Blob(pieces.slice(0, 1)));
    await it.settled();
    server.mischief = [{ cutAfter: 700 }];
    it.add(new Blob(pieces.slice(1, 2)));
    it.add(new Blob(pieces.slice(2, 3)));
    const id = await it.settled();
    expect(await upload(whole, options({ id }))).toBe(id);
    expect(server.content(id ?? '').equals(Buffer.from(await whole.arrayBuffer()))).toBe(true);
  });

  it('that never began is none, and one that is thrown away is forgotten', async () => {
    server.mischief = [{ status: 503 }];
    const none = growing();
    none.add(new Blob(pieces));
    expect(await none.settled()).toBeUndefined();
    const some = growing();
    some.add(new Blob(pieces));
    await some.forget();
    expect(server.uploads.size).toBe(0);
  });
});
