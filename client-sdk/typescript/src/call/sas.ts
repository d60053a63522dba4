// The short authentication string: four emoji that two people compare by voice, to notice a server that sits in the
// middle of their call. As in signaling/src/sas.rs, where the order of the messages is explained.

import { ChaparError } from "../error.js";
import type { CallId } from "../protocol.js";

/** 64 emoji, 6 bits each. Their order is part of the protocol. */
export const EMOJI: readonly string[] = (
  "🐪 🐎 🐘 🦁 🐢 🦉 🐟 🦋 🐝 🐓 🦊 🐑 🐫 🐬 🦚 🐜 🌙 🌞 🌈 🔥 ❄️ ⚡ 🌊 ⛰️ 🌹 🌷 🌻 🌵 🌴 🌲 🍄 🍂 " +
  "🍎 🍇 🍉 🍋 🍒 🥕 🌽 🍞 🧀 🥚 🍯 🫖 🚗 🚂 🚢 🚀 🚲 ⚓ 🔑 🔔 ⏰ 📖 ✏️ ✂️ 🔨 🕯️ 🎈 🪁 ⚽ 🥁 👑 ☂️"
).split(" ");

/** Both sides of an exchange after the reveal. Fingerprints and nonces are 32 bytes in lower-case hexadecimal. */
export interface Exchange {
  callId: CallId;
  caller: string;
  callee: string;
  callerNonce: string;
  calleeNonce: string;
}

/** A new nonce: 32 random bytes in lower-case hexadecimal. */
export const newNonce = (): string => hex(crypto.getRandomValues(new Uint8Array(32)));

/** The caller's word on its fingerprint and nonce, given before it sees the callee's. */
export const commit = (fingerprint: string, nonce: string): Promise<string> =>
  hash("chapar sas v1 commitment\0", fingerprint, nonce);

/** The emoji. The callee must have checked the caller's commitment. */
export async function emojiOf(it: Exchange): Promise<string[]> {
  const { callId, caller, callee, callerNonce, calleeNonce } = it;
  const digest = await hash("chapar sas v1 emoji\0", callId.replaceAll("-", ""), caller, callee, callerNonce, calleeNonce);
  const bits = Number.parseInt(digest.slice(0, 6), 16);
  return [18, 12, 6, 0].map((shift) => EMOJI[(bits >> shift) & 63] ?? "");
}

/** The one SHA-256 fingerprint of a description, in lower-case hexadecimal. */
export function fingerprintOf(sdp: string): string {
  const all = [...sdp.matchAll(/^a=fingerprint:sha-256 ([0-9A-F:]+)\s*$/gim)].map((it) => (it[1] ?? "").replaceAll(":", "").toLowerCase());
  const first = all[0];
  if (first?.length !== 64 || all.some((it) => it !== first)) {
    throw new ChaparError("bad_description", "not exactly one SHA-256 fingerprint");
  }
  return first;
}

async function hash(label: string, ...parts: string[]): Promise<string> {
  const head = new TextEncoder().encode(label);
  const tail = parts.join("");
  const bytes = new Uint8Array(head.length + tail.length / 2);
  bytes.set(head);
  for (let at = 0; at < tail.length; at += 2) bytes[head.length + at / 2] = Number.parseInt(tail.slice(at, at + 2), 16);
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
