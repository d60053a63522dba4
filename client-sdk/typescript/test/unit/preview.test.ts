import { expect, it } from "vitest";
import { sendRequest } from "../../src/core/outbox.js";
import type { OutboxItem } from "../../src/core/patch.js";

it("a preview goes out by its link: what it says is the server's word", () => {
  const preview = { url: "https://example.ir/", site: "example.ir", title: "somebody else's" };
  const item: OutboxItem = { client_id: "a", chat_id: 7, body: { kind: "text", text: "example.ir" }, preview, at: 0, order: 0 };
  expect(sendRequest(item).params).toEqual({ chat_id: 7, client_id: "a", body: item.body, preview: "https://example.ir/" });
});
