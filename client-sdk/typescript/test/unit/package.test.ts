import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

it("the wire types are those of the protocol crate: else run `node scripts/protocol.mjs`", () => {
  expect(read("../../src/protocol.ts")).toBe(read("../../../../protocol/generated/protocol.ts"));
});

it("there is nothing to install beside it, and the lock file names no host", () => {
  expect(JSON.parse(read("../../package.json")).dependencies).toBeUndefined();
  expect(read("../../package-lock.json")).not.toContain("https://registry");
});
