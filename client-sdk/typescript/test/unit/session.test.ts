import { expect, it } from "vitest";
import { Session } from "../../src/core/session.js";
import { DEFAULT_CONFIG, type Output } from "../../src/core/session_io.js";

const dice = (bound: number): number => bound - 1;
const welcome = (id: number) =>
  JSON.stringify({
    id,
    ok: {
      user: { id: 1, handle: "sara", name: "Sara" }, device_id: 1, server_time: "2026-11-23T08:30:00.000Z", heartbeat_seconds: 30,
      sync: { epochs: [["people", "e1"], ["chats", "e1"]], reset: ["people", "chats"], user: { from: 0, version: 0 }, chats: [] },
    },
  });

function live(): Session {
  const session = new Session(DEFAULT_CONFIG, "token");
  session.handle(0, dice, { type: "tick" });
  session.handle(0, dice, { type: "opened" });
  session.handle(0, dice, { type: "frame", text: welcome(1) });
  session.take();
  return session;
}
const writes = (session: Session): { method: string; id: number }[] =>
  session.take().filter((it): it is Extract<Output, { type: "write" }> => it.type === "write").map((it) => JSON.parse(it.text));

it("asks for a sign of life after a silence of the heartbeat, once, and gives up after twice as long (browsers see no pings)", () => {
  const session = live();
  expect(session.deadline(0)).toBe(30_000);
  session.handle(30_000, dice, { type: "tick" });
  const [ping] = writes(session);
  expect(ping?.method).toBe("ping");
  expect(session.deadline(30_000)).toBe(60_000);
  session.handle(30_100, dice, { type: "frame", text: JSON.stringify({ id: ping!.id, ok: {} }) });
  expect(session.deadline(30_100)).toBe(60_100);
  session.handle(60_100, dice, { type: "tick" });
  expect(writes(session).map((it) => it.method)).toEqual(["ping"]);
  session.handle(90_100, dice, { type: "tick" });
  expect(session.phase.at).toBe("waiting");
});

it("finds out within seconds that a connection died while the device slept", () => {
  const session = live();
  session.handle(20_000, dice, { type: "hurry" });
  expect(writes(session).map((it) => it.method)).toEqual(["ping"]);
  session.handle(25_000, dice, { type: "tick" });
  expect(session.phase.at).toBe("waiting");
  session.handle(25_001, dice, { type: "hurry" });
  expect(session.phase.at).toBe("connecting");
});

it("a hostile or broken server keeps the local data: bad frames are left out, a bad welcome ends the session with a sentence", () => {
  const session = live();
  for (const text of ["", "null", "[]", "{", '{"event":"delta","data":{"chat_id":"x"}}', '{"event":"delta"}', '{"id":99,"ok":1}', '{"id":null,"error":5}',
    '{"event":"delta","data":{"chat_id":7,"from":0,"version":1,"chat":{"id":7,"kind":"group","created_at":""},"messages":[{"seq":-1}]}}',
    '{"event":"read","data":{"chat_id":7}}', '{"event":"drain","data":{"reconnect_after_ms":-1}}', '{"event":"call","data":{}}']) {
    session.handle(1, dice, { type: "frame", text });
  }
  expect(session.phase.at).toBe("live");
  expect(session.state.chats.size).toBe(0);
  const other = new Session(DEFAULT_CONFIG, "token");
  other.handle(0, dice, { type: "tick" });
  other.handle(0, dice, { type: "opened" });
  other.handle(0, dice, { type: "frame", text: '{"id":1,"ok":{"user":{"id":1},"heartbeat_seconds":30,"sync":{}}}' });
  expect(other.phase).toMatchObject({ at: "stopped", stop: { reason: "refused" } });
});

it("without a token it waits for one, and takes messages meanwhile", () => {
  const session = new Session(DEFAULT_CONFIG, undefined);
  session.handle(0, dice, { type: "tick" });
  expect(session.deadline(0)).toBe(Infinity);
  const item = { client_id: "c", chat_id: 7, body: { kind: "text" as const, text: "one" }, at: 0, order: 1 };
  session.handle(0, dice, { type: "send", ticket: 1, item });
  expect(session.outbox().map((it) => it.state)).toEqual([{ state: "waiting", written: false }]);
  session.handle(0, dice, { type: "token", token: "t" });
  expect(session.phase.at).toBe("connecting");
});

it("takes over another name, its own too, and leaves out what is none", () => {
  const session = live();
  session.takePatch();
  const hear = (data: unknown) => session.handle(1, dice, { type: "frame", text: JSON.stringify({ event: "user", data }) });
  hear({ id: 2, handle: "dara", name: "دارا" });
  hear({ id: 1, handle: "sara", name: "Sara K." });
  for (const bad of [null, {}, { id: 3 }, { id: 3, handle: "x", name: 7 }]) hear(bad);
  const named = session.take().flatMap((it) => (it.type === "tell" && it.event.type === "users" ? it.event.users : []));
  expect(named.map((it) => it.name)).toEqual(["دارا", "Sara K."]);
  expect(session.state.me?.name).toBe("Sara K.");
  expect(session.takePatch().me?.name).toBe("Sara K.");
});
