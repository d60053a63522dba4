import { describe, expect, it } from "vitest";
import { CallCore } from "../../src/call/core.js";
import type { CallSignaled, CallState, InCall } from "../../src/protocol.js";

const call_id = "00000000-0000-4000-8000-000000000001";
const base = { call_id, chat_id: 7, caller: 1, callee: 2, media: "voice", relay_only: false, ask_rating: false } as const;
const side = { muted: false, camera_off: false, held: false, away: false };
const inCall = (revision: number, more: Partial<InCall> = {}, over: Partial<CallState> = {}): CallState =>
  ({
    ...base, revision, standing: "in_call", phase: "connecting", peer: { user_id: 2, device_id: 9 }, generation: 1,
    renew: "transport", mine: side, theirs: side, ...more, ...over,
  }) as CallState;
const calling: CallState = { ...base, revision: 1, standing: "calling", ringing: false, until: "" };
const ringing: CallState = { ...base, revision: 1, standing: "ringing", until: "", glare: false };
const signal = (it: object): CallSignaled => ({ call_id, generation: 1, ...it }) as CallSignaled;

function all(core: CallCore): string[] {
  const steps: string[] = [];
  for (let step = core.due(); step && steps.length < 20; step = core.due()) {
    steps.push(step.do);
    core.did(step, step.do === "offer");
  }
  return steps;
}

describe("the caller", () => {
  it("takes the answer, then reveals, then gives the candidates that came meanwhile", () => {
    const core = new CallCore(1, calling);
    core.began(true, false, true, false);
    core.takeSignal(signal({ kind: "candidates", candidates: ["candidate:1"] }));
    core.takeSignal(signal({ kind: "answer", sdp: "a", nonce: "b" }));
    expect(core.due()).toBeUndefined();
    core.takeState(inCall(2));
    expect(all(core)).toEqual(["take_answer", "reveal", "candidates"]);
    core.setFlows(true);
    expect(core.due()).toEqual({ do: "flows", flows: true });
  });

  it("makes a new offer when the generation grows, with a new connection for a new transport only", () => {
    const core = new CallCore(1, calling);
    core.began(true, false, false, false);
    core.takeState(inCall(2));
    core.takeSignal(signal({ kind: "answer", sdp: "a" }));
    all(core);
    core.takeState(inCall(3, { generation: 2, renew: "ice" }));
    expect(core.due()).toEqual({ do: "offer", generation: 2, renew: "ice", fresh: false });
    all(core);
    core.takeSignal(signal({ kind: "answer", sdp: "late", generation: 1 }));
    expect(core.due()).toBeUndefined();
    core.takeState(inCall(4, { generation: 3, renew: "transport" }));
    expect(core.due()).toMatchObject({ do: "offer", generation: 3, fresh: true });
  });

  it("takes its path back when the callee wishes relays only, before it looks at the answer", () => {
    const core = new CallCore(1, calling);
    core.began(true, false, true, false);
    core.takeSignal(signal({ kind: "answer", sdp: "a", nonce: "b" }));
    core.takeState(inCall(2, {}, { relay_only: true }));
    expect(all(core)).toEqual(["restrict"]);
    core.takeState(inCall(3, { generation: 2, renew: "transport" }, { relay_only: true }));
    core.takeSignal(signal({ kind: "answer", sdp: "a", nonce: "b", generation: 2 }));
    expect(all(core)).toEqual(["offer", "take_answer", "reveal"]);
  });

  it("tells again that media flows when the server did not hear it", () => {
    const core = new CallCore(1, calling);
    core.began(true, false, false, false);
    core.takeState(inCall(2));
    core.takeSignal(signal({ kind: "answer", sdp: "a" }));
    core.setFlows(true);
    expect(core.due()?.do).toBe("take_answer");
    core.did({ do: "take_answer", generation: 1, sdp: "a", nonce: undefined });
    expect(core.due()).toEqual({ do: "flows", flows: true });
    core.holdBackFlows(true);
    expect(core.due()).toBeUndefined();
    core.holdBackFlows(false);
    expect(core.due()).toEqual({ do: "flows", flows: true });
  });

  it("tells flows anew on a new transport", () => {
    const core = new CallCore(1, calling);
    core.began(true, false, false, false);
    core.takeState(inCall(2));
    core.takeSignal(signal({ kind: "answer", sdp: "a" }));
    core.setFlows(true);
    expect(all(core)).toEqual(["take_answer", "flows"]);
    core.takeState(inCall(3, { generation: 2, renew: "transport", phase: "reconnecting" }));
    core.takeSignal(signal({ kind: "answer", sdp: "b", generation: 2 }));
    expect(all(core)).toEqual(["offer", "take_answer", "reveal"]);
    core.setFlows(true);
    expect(all(core)).toEqual(["flows"]);
  });
});

describe("the callee", () => {
  it("does nothing before the person has accepted here", () => {
    const core = new CallCore(2, ringing);
    core.takeSignal(signal({ kind: "offer", sdp: "o", commitment: "c" }));
    core.takeState(inCall(2));
    expect(core.due()).toBeUndefined();
  });

  it("answers an offer that comes after the accept, checks the reveal, and keeps the first offer of a generation", () => {
    const core = new CallCore(2, ringing);
    core.began(false, false, false, false);
    core.takeState(inCall(2));
    expect(core.due()).toBeUndefined();
    core.takeSignal(signal({ kind: "offer", sdp: "o", commitment: "c" }));
    core.takeSignal(signal({ kind: "offer", sdp: "another", commitment: "d" }));
    core.takeSignal(signal({ kind: "reveal", nonce: "n" }));
    expect(core.due()).toMatchObject({ do: "answer", sdp: "o", commitment: "c" });
    expect(all(core)).toEqual(["answer", "check"]);
  });

  it("ignores what is not newer", () => {
    const core = new CallCore(2, inCall(5, { generation: 3 }));
    expect(core.takeState(inCall(5))).toBe(false);
    core.here = true;
    core.takeSignal(signal({ kind: "offer", sdp: "old", generation: 2 }));
    expect(core.due()).toBeUndefined();
  });
});

describe("a device of several", () => {
  const takeOver = (revision: number): CallState => ({ ...base, revision, standing: "take_over", until: "" }) as CallState;

  it("lets go of a call that moved without its hearing of it, when it is asked to take it over again", () => {
    const core = new CallCore(2, ringing);
    core.began(false, true, false, false);
    core.takeState(inCall(2));
    expect(core.letsGo).toBe(false);
    core.takeState(takeOver(5));
    expect(core.letsGo).toBe(true);
  });

  it("keeps what it has opened to take the call over", () => {
    const core = new CallCore(2, takeOver(2));
    core.here = true;
    core.takeState(takeOver(3));
    expect(core.letsGo).toBe(false);
    core.takeState({ ...base, revision: 4, standing: "elsewhere" } as CallState);
    expect(core.letsGo).toBe(true);
  });
});
