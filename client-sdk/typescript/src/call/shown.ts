// What can be read of a call: as the server says it, and where its media is.

import type { CallId, CallMedia, CallState, ChatId, SideState, UserId } from "../protocol.js";
import type { CallCore } from "./core.js";
import type { CallStatus } from "./status.js";

export abstract class ShownCall {
  readonly id: CallId;
  readonly core: CallCore;

  constructor(core: CallCore) {
    this.core = core;
    this.id = core.state.call_id;
  }

  get state(): CallState {
    return this.core.state;
  }

  get chatId(): ChatId {
    return this.state.chat_id;
  }

  /** Whether this person called. */
  get outgoing(): boolean {
    return this.core.outgoing;
  }

  /** The other person. */
  get peer(): UserId {
    return this.outgoing ? this.state.callee : this.state.caller;
  }

  /** What the call carries now. */
  get media(): CallMedia {
    return this.state.media;
  }

  get status(): CallStatus {
    const { state } = this;
    switch (state.standing) {
      case "calling":
        return this.core.here ? (state.ringing ? "ringing_there" : "calling") : "elsewhere";
      case "in_call":
        return this.core.here ? state.phase : "elsewhere";
      default:
        return state.standing;
    }
  }

  /** Whether the media of the call is in this tab. */
  get here(): boolean {
    return this.core.here;
  }

  /** Why it ended. */
  get endReason(): Extract<CallState, { standing: "ended" }>["reason"] | undefined {
    return this.state.standing === "ended" ? this.state.reason : undefined;
  }

  /** What this side shows of itself. */
  get mine(): SideState | undefined {
    return this.core.inCall?.mine;
  }

  /** What the other side shows of itself; `away`: it lost its connection to the server. */
  get theirs(): SideState | undefined {
    return this.core.inCall?.theirs;
  }

  /** Whether the other side asks for video: `allowVideo`. */
  get videoAsked(): boolean {
    return this.core.inCall?.video_asked_by === this.peer;
  }
}
