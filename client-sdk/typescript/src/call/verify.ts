// The comparison of keys in one call, on one side of it: which nonces and fingerprints belong together, and the emoji that
// come of them. The order of the messages is explained in signaling/src/sas.rs.

import { ChaparError } from "../error.js";
import type { CallId } from "../protocol.js";
import { commit, emojiOf, fingerprintOf, newNonce } from "./sas.js";

interface Keys {
  caller: string;
  callee: string;
}

export class Verification {
  /** The four emoji to compare; absent until both nonces are known. */
  emoji: readonly string[] | undefined;
  readonly #callId: CallId;
  /** As the caller: the nonce that was committed to, not shown yet. */
  #committed: { generation: number; nonce: string } | undefined;
  /** As the callee: what was heard before the reveal. */
  #heard: (Keys & { generation: number; commitment: string; nonce: string }) | undefined;
  /** The keys that the emoji stand for. */
  #verified: Keys | undefined;

  constructor(callId: CallId) {
    this.#callId = callId;
  }

  /** What the caller reveals when it has the callee's nonce. */
  get nonce(): string {
    return this.#committed?.nonce ?? "";
  }

  /** The caller's commitment, which goes with its offer. */
  async offered(generation: number, sdp: string): Promise<string> {
    const nonce = newNonce();
    this.#committed = { generation, nonce };
    this.emoji = undefined;
    return commit(fingerprintOf(sdp), nonce);
  }

  /** The callee's nonce, which goes with its answer; none when the caller did not commit to anything. */
  answered(generation: number, offer: string, answer: string, commitment: string | undefined): string | undefined {
    const keys = { caller: fingerprintOf(offer), callee: fingerprintOf(answer) };
    if (commitment === undefined) {
      this.#keepFor(keys);
      return undefined;
    }
    const nonce = newNonce();
    this.emoji = undefined;
    this.#heard = { generation, commitment, nonce, ...keys };
    return nonce;
  }

  /** The caller has the answer. */
  async gotAnswer(generation: number, offer: string, answer: string, nonce: string | undefined): Promise<void> {
    const keys = { caller: fingerprintOf(offer), callee: fingerprintOf(answer) };
    if (nonce === undefined || this.#committed?.generation !== generation) return this.#keepFor(keys);
    await this.#show(keys, this.#committed.nonce, nonce);
  }

  /** The caller shows its nonce: only the one that it committed to with the offer counts. Says whether that was awaited. */
  async check(generation: number, nonce: string): Promise<boolean> {
    const it = this.#heard;
    if (it?.generation !== generation) return false;
    const fits = /^[0-9a-f]{64}$/.test(nonce) && (await commit(it.caller, nonce)) === it.commitment;
    if (!fits) throw new ChaparError("bad_description", "the caller's nonce does not fit its commitment");
    await this.#show({ caller: it.caller, callee: it.callee }, nonce, it.nonce);
    return true;
  }

  /** The same keys as those that were compared: the emoji still hold. */
  #keepFor({ caller, callee }: Keys): void {
    if (this.#verified?.caller !== caller || this.#verified.callee !== callee) this.emoji = undefined;
  }

  async #show(keys: Keys, callerNonce: string, calleeNonce: string): Promise<void> {
    this.emoji = await emojiOf({ callId: this.#callId, ...keys, callerNonce, calleeNonce });
    this.#verified = keys;
  }
}
