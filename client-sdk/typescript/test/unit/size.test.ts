import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { BODY_BYTES, bodyBytes, checkBody } from "../../src/core/size.js";
import { Session } from "../../src/core/session.js";
import { DEFAULT_CONFIG } from "../../src/core/session_io.js";
import { emptyState } from "../../src/core/sync.js";
import type { OutboxItem } from "../../src/core/patch.js";
import type { Entity, NewBody } from "../../src/protocol.js";

const dice = (bound: number): number => bound - 1;

interface Sample { title: string; repeat: string; times: number; end: string; mark: Entity; marks: number; bytes: number; fits: boolean }
// The same samples as the protocol crate's test.
const file = new URL("../../../../protocol/vectors/bodies/sizes.json", import.meta.url);
const samples: Sample[] = JSON.parse(readFileSync(file, "utf8"));
const bodyOf = (it: Sample): NewBody => ({
  kind: "text", text: it.repeat.repeat(it.times) + it.end, entities: Array.from({ length: it.marks }, () => it.mark),
});

it.each(samples.map((sample) => [sample.title, sample] as const))("measures %s as the server does", (_, sample) => {
  const body = bodyOf(sample);
  expect(bodyBytes(body)).toBe(sample.bytes);
  expect(checkBody(body)?.code).toBe(sample.fits ? undefined : "too_large");
});

const item = (body: NewBody): OutboxItem => ({ client_id: "00000000-0000-4000-8000-000000000001", chat_id: 7, body, at: 0, order: 1 });
const tooLarge = bodyOf(samples.find((it) => !it.fits)!);

it("keeps nothing that no frame can carry, and says why", () => {
  const session = new Session(DEFAULT_CONFIG, "token");
  session.handle(0, dice, { type: "send", ticket: 5, item: item(tooLarge) });
  const out = session.take();
  expect(out.some((it) => it.type === "store")).toBe(false);
  expect(JSON.stringify(out)).toContain("too_large");
  expect(session.outbox()).toEqual([]);
});

it("a message that an older version kept does not make the device unusable", () => {
  const session = new Session(DEFAULT_CONFIG, "token", emptyState(), [item(tooLarge)]);
  expect(session.outbox()[0]?.state).toMatchObject({ state: "failed", error: { code: "too_large" } });
  session.handle(0, dice, { type: "retry", clientId: item(tooLarge).client_id });
  expect(session.outbox()[0]?.state.state).toBe("failed");
});

it("a request beyond the frame is refused here, since it would end each connection anew", () => {
  const session = new Session(DEFAULT_CONFIG, "token");
  const body: NewBody = { kind: "text", text: "a".repeat(4 * BODY_BYTES) };
  session.handle(0, dice, { type: "request", ticket: 5, method: "edit", params: { chat_id: 7, seq: 1, body }, effect: "none" });
  expect(JSON.stringify(session.take())).toContain("too_large");
});
