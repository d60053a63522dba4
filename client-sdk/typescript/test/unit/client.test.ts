import { describe, expect, it } from "vitest";
import { Client, newClientId } from "../../src/index.js";

/** A socket that never opens. */
class Silent {
  readyState = 0;
  close(): void {}
  send(): void {}
  addEventListener(): void {}
}
const open = (): Promise<Client> => Client.open({ url: "http://127.0.0.1:1", token: "t", WebSocket: Silent as never });

describe("a message that is awaited", () => {
  it("is waited for until it is stored, or refused", async () => {
    const client = await open();
    const sending = client.send(7, "one");
    expect(client.outbox(7).map(({ item }) => item.client_id)).toEqual([sending.clientId]);
    const settled = await Promise.race([sending.then(() => "stored", () => "refused"), new Promise((done) => setTimeout(() => done("waits"), 50))]);
    expect(settled).toBe("waits");
    const refused = expect(sending).rejects.toMatchObject({ code: "closed" });
    await client.close();
    await refused;
  });
});

describe("once", () => {
  it("gives the next event that fits, and lets go when it is told to", async () => {
    const client = await open();
    const next = client.once("preference", { fits: ({ key }) => key === "b" });
    await client.setPreference("a", 1);
    await client.setPreference("b", 2);
    expect(await next).toEqual({ type: "preference", key: "b" });
    const given = new AbortController();
    const never = client.once("message", { signal: given.signal });
    given.abort(new Error("enough"));
    await expect(never).rejects.toThrow("enough");
    await client.close();
  });
});

it("nothing is unread in a chat that is not known", async () => {
  const client = await open();
  expect(await client.unread(7)).toEqual([]);
  await client.close();
});

it("client ids are UUIDs of version 7: they differ, and grow with time", () => {
  const ids = Array.from({ length: 1_000 }, newClientId);
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const millis = parseInt((ids[0] ?? "").replaceAll("-", "").slice(0, 12), 16);
  expect(Math.abs(millis - Date.now())).toBeLessThan(60_000);
});
