// What is due in a call, by what the server told and what was done here. Pure: no media, no clock.
//
// A call is a small replicated record: the state with the highest revision counts, signals belong to the generation
// that they name. The caller's side makes every offer, the callee's side every answer; a new generation asks for a new
// exchange, which renews the tracks (`media`), the path (`ice`) or all (`transport`: a new peer connection).

import type { CallSignaled, CallState, InCall, Renew, UserId } from "../protocol.js";

/** What is to be done next. The driver does one at a time and says `did` when it is done. */
export type Step =
  /** Make and send the offer of this generation. `fresh`: with a new peer connection. */
  | { do: "offer"; generation: number; renew: Renew; fresh: boolean }
  /** Take the other side's offer, make and send the answer. */
  | { do: "answer"; generation: number; sdp: string; commitment: string | undefined; fresh: boolean }
  /** Take the other side's answer. */
  | { do: "take_answer"; generation: number; sdp: string; nonce: string | undefined }
  /** Show the nonce behind the own commitment. */
  | { do: "reveal"; generation: number }
  /** Check the nonce that the caller shows. */
  | { do: "check"; generation: number; nonce: string }
  /** Give the other side's candidates to the peer connection. */
  | { do: "candidates"; generation: number; candidates: string[] }
  /** The callee wishes relays only: take back what was gathered, and ask for another path. */
  | { do: "restrict"; generation: number }
  /** Say that media flows, or stopped. */
  | { do: "flows"; flows: boolean };

type Offer = Extract<CallSignaled, { kind: "offer" }>;
type Answer = Extract<CallSignaled, { kind: "answer" }>;

/** What came of the exchange of one generation. */
interface Came {
  generation: number;
  offer?: Offer;
  answer?: Answer;
  reveal?: string;
  candidates: string[];
}

/** Signals of generations to come that are kept at most. */
const KEPT = 4;

function isSeated({ standing }: CallState): boolean {
  return standing === "in_call" || standing === "calling";
}

/** One call as this tab sees it. */
export class CallCore {
  readonly me: UserId;
  state: CallState;
  /** Whether the media of the call is here: this tab called, accepted or took over. */
  here = false;
  /** By the state that came last the media is to be let go here: the call has ended, or goes on elsewhere. */
  letsGo = false;
  #came: Came[] = [];
  /** The generation whose offer was made, or taken, here. */
  #offered = 0;
  /** The generation whose answer was made, or taken, here. */
  #answered = 0;
  #revealed = 0;
  #checked = 0;
  /** Whether an own commitment, made in this generation, waits to be revealed. */
  #committed = 0;
  #restricted: boolean;
  /** The generation that was given up because the callee wishes relays only. */
  #skipped = 0;
  #transport = 0;
  #hasPeer = false;
  #flows = false;
  #toldFlows: boolean | undefined;
  /** The server did not hear it: it is told again after a while. */
  #flowsHeldBack = false;

  constructor(me: UserId, state: CallState, relayOnly = state.relay_only) {
    this.me = me;
    this.state = state;
    this.#restricted = relayOnly;
  }

  /** Whether this person called. */
  get outgoing(): boolean {
    return this.state.caller === this.me;
  }

  /** The details of a call that this device is in. */
  get inCall(): InCall | undefined {
    return this.state.standing === "in_call" ? this.state : undefined;
  }

  /** Takes a state if it is newer; says whether it was. */
  takeState(state: CallState): boolean {
    if (state.revision <= this.state.revision) return false;
    const [before, after] = [this.inCall, state.standing === "in_call" ? state : undefined];
    if (after && after.renew === "transport" && after.generation > (before?.generation ?? 1) && after.generation > this.#transport) {
      // The server forgot whether media flows: it is another connection.
      this.#transport = after.generation;
      this.#toldFlows = undefined;
      this.#flows = false;
    }
    const { standing } = state;
    const elsewhere = !isSeated(state) && standing !== "take_over" && standing !== "ringing";
    // Asked to take over what was here until now: it moved without this device's hearing of it, and wants a new word of the person's.
    this.letsGo = standing === "ended" || (this.here && (elsewhere || (isSeated(this.state) && standing === "take_over")));
    this.state = state;
    return true;
  }

  /** Takes a signal; what is of an older generation is dropped. */
  takeSignal(signal: CallSignaled): void {
    const current = this.inCall?.generation ?? 1;
    if (signal.generation < current) return;
    let came = this.#came.find((it) => it.generation === signal.generation);
    if (!came) this.#came.push((came = { generation: signal.generation, candidates: [] }));
    this.#came = this.#came.filter((it) => it.generation >= current).slice(-KEPT);
    // The same generation is the same offer: only the first counts, so that nobody changes it later.
    if (signal.kind === "offer") came.offer ??= signal;
    else if (signal.kind === "answer") came.answer ??= signal;
    else if (signal.kind === "reveal") came.reveal ??= signal.nonce;
    else if (signal.kind === "candidates") came.candidates.push(...signal.candidates);
  }

  /** The offer that came while it rings, so that it can be answered with the accept. */
  get ringingOffer(): { sdp: string; commitment: string | undefined } | undefined {
    const offer = this.#came.find((it) => it.generation === 1)?.offer;
    return offer && { sdp: offer.sdp, commitment: offer.commitment };
  }

  /** The offer of generation 1 went out with the invite, or was answered with the accept. */
  began(offered: boolean, answered: boolean, committed: boolean, relayOnly: boolean): void {
    this.here = true;
    this.#hasPeer = true;
    this.#restricted ||= relayOnly;
    if (offered) this.#offered = 1;
    if (answered) this.#answered = 1;
    if (committed) this.#committed = 1;
  }

  /** A step was done. `committed`: the offer carried a commitment. */
  did(step: Step, committed = false): void {
    switch (step.do) {
      case "offer":
        this.#offered = step.generation;
        this.#hasPeer = true;
        if (committed) this.#committed = step.generation;
        return;
      case "answer":
        this.#offered = this.#answered = step.generation;
        this.#hasPeer = true;
        return;
      case "take_answer":
        this.#answered = step.generation;
        return;
      case "reveal":
        this.#revealed = step.generation;
        return;
      case "check":
        this.#checked = step.generation;
        return;
      case "candidates": {
        const came = this.#came.find((it) => it.generation === step.generation);
        came?.candidates.splice(0, step.candidates.length);
        return;
      }
      case "restrict":
        this.#restricted = true;
        this.#skipped = step.generation;
        return;
      case "flows":
        this.#toldFlows = step.flows;
    }
  }

  /** What the peer connection says. */
  setFlows(flows: boolean): void {
    this.#flows = flows;
  }

  /** Whether media flows could not be told: not now. */
  holdBackFlows(held: boolean): void {
    this.#flowsHeldBack = held;
  }

  /** What is due now, one step at a time. */
  due(): Step | undefined {
    const { inCall } = this;
    if (!this.here || !inCall) return undefined;
    return (this.outgoing ? this.#callerDue(inCall) : this.#calleeDue(inCall)) ?? this.#flowsDue();
  }

  #callerDue({ generation, renew }: InCall): Step | undefined {
    const restrict = this.state.relay_only && !this.#restricted;
    if (restrict) return { do: "restrict", generation };
    // Its answer would begin checks from addresses that the other side shall not see.
    if (generation === this.#skipped) return undefined;
    if (this.#offered < generation) return { do: "offer", generation, renew, fresh: renew === "transport" || !this.#hasPeer };
    const came = this.#came.find((it) => it.generation === generation);
    if (this.#answered < generation) {
      const answer = came?.answer;
      return answer && { do: "take_answer", generation, sdp: answer.sdp, nonce: answer.nonce };
    }
    if (this.#committed === generation && this.#revealed < generation) return { do: "reveal", generation };
    return this.#candidatesDue(came);
  }

  #calleeDue({ generation, renew }: InCall): Step | undefined {
    const came = this.#came.find((it) => it.generation === generation);
    const offer = came?.offer;
    if (this.#answered < generation) {
      const fresh = renew === "transport" || !this.#hasPeer;
      return offer && { do: "answer", generation, sdp: offer.sdp, commitment: offer.commitment, fresh };
    }
    const candidates = this.#candidatesDue(came);
    if (candidates) return candidates;
    if (came?.reveal !== undefined && this.#checked < generation) return { do: "check", generation, nonce: came.reveal };
    return undefined;
  }

  #candidatesDue(came: Came | undefined): Step | undefined {
    if (!came?.candidates.length) return undefined;
    return { do: "candidates", generation: came.generation, candidates: [...came.candidates] };
  }

  #flowsDue(): Step | undefined {
    // Before the first exchange is done, the server would not believe it.
    if (this.#flowsHeldBack || this.#answered === 0 || this.#flows === (this.#toldFlows ?? false)) return undefined;
    return { do: "flows", flows: this.#flows };
  }
}
