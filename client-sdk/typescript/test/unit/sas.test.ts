import { expect, it } from "vitest";
import { EMOJI, commit, emojiOf, fingerprintOf } from "../../src/call/sas.js";

const [A, B] = ["aa".repeat(32), "bb".repeat(32)];
const nonce = (n: number): string => n.toString(16).padStart(16, "0") + "00".repeat(24);
const callId = "09090909-0909-0909-0909-090909090909";

it("the 64 emoji are different", () => {
  expect(new Set(EMOJI).size).toBe(64);
});

it("comes to the same as the other implementations (the vectors of signaling/src/sas.rs)", async () => {
  expect(await commit(A, nonce(1))).toBe("c6065e3e97df609492e111f8fc54cd7eb53958e9352857c5747fe75c68f55564");
  const emoji = await emojiOf({ callId, caller: A, callee: B, callerNonce: nonce(1), calleeNonce: nonce(2) });
  expect(emoji).toEqual([55, 43, 58, 40].map((place) => EMOJI[place]));
});

it("everything that goes in changes what comes out", async () => {
  const honest = { callId, caller: A, callee: B, callerNonce: nonce(1), calleeNonce: nonce(2) };
  const all = [honest, { ...honest, caller: "cc".repeat(32) }, { ...honest, callee: "cc".repeat(32) }, { ...honest, callerNonce: nonce(3) }, { ...honest, calleeNonce: nonce(3) }];
  expect(new Set((await Promise.all(all.map(emojiOf))).map(String)).size).toBe(all.length);
});

it("reads the one fingerprint of a description, and refuses two", () => {
  const line = (byte: string): string => `a=fingerprint:sha-256 ${Array(32).fill(byte).join(":")}\r\n`;
  expect(fingerprintOf(`v=0\r\n${line("AA")}m=audio\r\n${line("AA")}`)).toBe(A);
  expect(() => fingerprintOf(line("AA") + line("BB"))).toThrow();
  expect(() => fingerprintOf("v=0\r\n")).toThrow();
});
