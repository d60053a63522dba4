import { expect, it } from "vitest";
import { sendRequest } from "../../src/core/outbox.js";
import type { OutboxItem } from "../../src/core/patch.js";

const item: OutboxItem = { client_id: "a", chat_id: 7, body: { kind: "text", text: "x" }, at: 0, order: 0 };

it("a message that is forwarded goes out under its own client id, by its place", () => {
  const forward = { from: 3, seq: 9, origin: { user_id: 5 } };
  expect(sendRequest({ ...item, forward })).toEqual({ method: "forward", params: { chat_id: 7, from: 3, messages: [{ client_id: "a", seq: 9 }] } });
});

it("an album goes as one, and an origin that is not told is hidden", () => {
  const forward = { from: 3, seq: 9, also: [{ client_id: "b", seq: 10 }], origin: {} };
  const messages = [{ client_id: "a", seq: 9 }, { client_id: "b", seq: 10 }];
  expect(sendRequest({ ...item, forward })).toEqual({ method: "forward", params: { chat_id: 7, from: 3, messages, hide_origin: true } });
});
