// One call, as an application holds it, and its driver: it does what the core says is due.

import type { Client } from "../client.js";
import { ChaparError } from "../error.js";
import type { AskCall, CallMedia, CallSignaled, CallState, DeviceId, IceServer } from "../protocol.js";
import type { CallCore, Step } from "./core.js";
import type { Ask, CallHost } from "./host.js";
import { OwnTracks } from "./own_tracks.js";
import { Peer } from "./peer.js";
import { Player } from "./player.js";
import { Pulse } from "./pulse.js";
import type { CallStats } from "./quality.js";
import { ShownCall } from "./shown.js";
import { Verification } from "./verify.js";

/** How long an interruption may last before another path is asked for, in milliseconds. */
const RESTART_AFTER = 2_000;
/** After how long what the server did not hear is told again, in milliseconds. */
const TELL_AGAIN = 2_000;

export class Call extends ShownCall {
  /** What the other side sends: give it to an `<audio>` or `<video>` element. The same object for the whole call. */
  readonly remote = new MediaStream();
  /** What this side sends. The same object for the whole call. */
  readonly local: MediaStream;
  /** Why the call cannot go on here, in the words of `ChaparError`, when something failed that nobody waited for. */
  problem: ChaparError | undefined;
  readonly #host: CallHost;
  readonly #own: OwnTracks;
  readonly #player: Player;
  readonly #pulse: Pulse;
  #peer: Peer | undefined;
  /** Whether this tab began it: the person wants it, and has opened the microphone for it. */
  begun = false;
  /** The relays, asked for while it rings. */
  #relays: Promise<IceServer[] | undefined> | undefined;
  #relayOnly = false;
  #working = false;
  readonly #verification: Verification;
  /** Video was asked for a moment ago: the camera is open for it, though the server has not said so yet. */
  #wishing = false;
  #restartTimer: ReturnType<typeof setTimeout> | undefined;
  #tellTimer: ReturnType<typeof setTimeout> | undefined;
  #gone = false;

  constructor(host: CallHost, core: CallCore) {
    super(core);
    this.#host = host;
    this.#own = new OwnTracks(host.devices, (kind) => {
      this.useDevices(kind === "audio" ? "microphone" : "camera").catch((error: ChaparError) => this.#tellProblem(error));
    });
    this.local = this.#own.stream;
    this.#player = new Player(this.remote, () => host.devices.speaker);
    this.#verification = new Verification(this.id);
    this.#pulse = new Pulse(core, {
      peer: () => this.#peer,
      ask: (ask) => this.#ask(ask),
      changed: (what) => host.changed(this, what),
      lost: () => host.over(this, "dropped"),
    });
  }

  // ---- What is shown -----------------------------------------------------------------------------------------------

  /** The four emoji to compare; absent until both nonces are known. */
  get emoji(): readonly string[] | undefined {
    return this.#verification.emoji;
  }

  /** Nothing has arrived from the other side for some seconds, whatever the server says: it may be this device's network. */
  get deaf(): boolean {
    return this.#pulse.deaf;
  }

  /** The last measurement. */
  get stats(): CallStats | undefined {
    return this.#pulse.stats;
  }

  /** Whether the microphone is off. */
  get muted(): boolean {
    return this.local.getAudioTracks().every((track) => !track.enabled);
  }

  /** The connection, for getStats and the like; absent before the person has called or accepted, and after the end. */
  get connection(): RTCPeerConnection | undefined {
    return this.#peer?.pc;
  }

  // ---- What a person does ------------------------------------------------------------------------------------------

  /** Begins an outgoing call. Called by `Calls.call`. */
  async begin(media: CallMedia, relayOnly: boolean): Promise<void> {
    this.begun = true;
    this.core.began(false, false, false, relayOnly);
    this.#relayOnly = relayOnly;
    try {
      await this.#open(media);
      // Taken back while the microphone opened: then nothing rings.
      this.#stillHere();
      await this.#invite(media, relayOnly);
    } catch (error) {
      this.release();
      throw error;
    }
    if (!this.#gone) this.#pulse.start();
  }

  /** Lets it ring, and offers then: the relays open for calls alone that the server knows. */
  async #invite(media: CallMedia, relayOnly: boolean): Promise<void> {
    // What is due meanwhile waits: this makes the first offer.
    this.#working = true;
    try {
      const params = { call_id: this.id, user_id: this.state.callee, media, relay_only: relayOnly };
      const invited = this.#host.client.request("call_invite", params);
      const relays = this.#host.relays(this.id);
      relays.catch(() => {});
      this.takeState(await invited);
      if (this.state.standing === "ended") return;
      try {
        this.#makePeer(await relays, relayOnly, !this.core.inCall);
        const { sdp, commitment } = await this.#makeOffer(1, false, true);
        const offer = { sdp, ...(commitment !== undefined && { commitment }) };
        await this.#ask({ ask: "offer", generation: 1, ...offer });
        this.core.began(true, false, commitment !== undefined, relayOnly);
        if (this.core.inCall && !this.state.relay_only) this.#peer?.release();
      } catch (error) {
        // It has ended meanwhile, and that was told; or it rings in vain.
        if (this.#gone || (error instanceof ChaparError && error.code === "call_ended")) return;
        this.#ask({ ask: "hang_up" }).catch(() => {});
        throw error;
      }
    } finally {
      this.#working = false;
      this.#work();
    }
  }

  /**
   * Answers. Opens the microphone, and the camera for video; rejects with `media_denied` or `media_missing` before
   * anything was said to the caller. `media: "voice"` answers a video call without video.
   */
  async accept(options: { media?: CallMedia; relayOnly?: boolean } = {}): Promise<void> {
    if (this.state.standing !== "ringing") throw new ChaparError("no_call", "it does not ring here");
    const media = options.media ?? this.state.media;
    const relayOnly = (options.relayOnly ?? false) || this.state.relay_only;
    const [known] = await Promise.all([this.#relays, this.#open(media)]);
    this.#relays = undefined;
    try {
      const servers = known ?? (await this.#host.relays(this.id));
      const offer = this.core.ringingOffer;
      let answer: { sdp: string; nonce?: string } | undefined;
      this.#relayOnly = relayOnly;
      if (offer) {
        this.#makePeer(servers, relayOnly, true);
        answer = await this.#makeAnswer(1, offer.sdp, offer.commitment, media);
      }
      await this.#ask({ ask: "accept", media, relay_only: relayOnly, ...(answer && { answer }) });
      this.core.began(false, answer !== undefined, false, relayOnly);
      this.#peer?.release();
    } catch (error) {
      this.release();
      throw error;
    }
    if (!this.#gone) this.#pulse.start();
    this.#work();
    this.#host.changed(this, "change");
  }

  /** It rings: the relays are asked for while the person makes up their mind. Nothing is sent to the caller. */
  prepare(): void {
    this.#relays ??= this.#host.relays(this.id).catch(() => undefined);
  }

  /** Declines, on all own devices. */
  async decline(): Promise<void> {
    await this.#ask({ ask: "decline" });
  }

  /** Says that this device is busy; the others may ring on. */
  async busy(): Promise<void> {
    await this.#ask({ ask: "busy" });
  }

  /** Hangs up, or takes the call back while it rings there. The media ends at once. */
  async hangUp(): Promise<void> {
    this.release();
    await this.#ask({ ask: "hang_up" });
  }

  /** Closes or opens the microphone: at once here, and the other side is told. */
  async mute(muted: boolean): Promise<void> {
    for (const track of this.local.getAudioTracks()) track.enabled = !muted;
    await this.#tellSwitches();
  }

  /** Closes or opens the camera in a video call. */
  async setCamera(on: boolean): Promise<void> {
    if (on) await this.#addCamera();
    for (const track of this.local.getVideoTracks()) track.enabled = on;
    await this.#tellSwitches();
  }

  /** Holds the call, or goes on: nothing is sent or played meanwhile. */
  async hold(held: boolean): Promise<void> {
    await this.#ask({ ask: "hold", held });
  }

  /** Asks the other side for video; it begins when they allow it. Opens the own camera. */
  async wantVideo(): Promise<void> {
    this.#wishing = true;
    try {
      await this.#addCamera();
      await this.#ask({ ask: "want_video" });
    } catch (error) {
      if (this.media === "voice") this.#own.stop("video");
      throw error;
    } finally {
      this.#wishing = false;
    }
  }

  /** Answers the wish for video. One watches only, until `setCamera(true)`, or at once with `camera: true`. */
  async allowVideo(allow: boolean, options: { camera?: boolean } = {}): Promise<void> {
    if (allow && options.camera) await this.#addCamera();
    await this.#ask({ ask: "allow_video", allow });
    if (allow) await this.#tellSwitches();
  }

  /** Goes back to voice only. */
  async stopVideo(): Promise<void> {
    await this.#ask({ ask: "stop_video" });
  }

  /** Asks another own device to take over. */
  async transfer(deviceId: DeviceId): Promise<void> {
    await this.#ask({ ask: "transfer", to: deviceId });
  }

  /** Takes over from the own other device. */
  async takeOver(): Promise<void> {
    if (this.state.standing !== "take_over") throw new ChaparError("no_call", "nothing to take over");
    await this.#sit(this.state.media);
  }

  /** Whether this device is in the call, but no tab of it has the media: the page was loaded anew in mid-call. */
  get left(): boolean {
    return this.core.inCall !== undefined && !this.core.here;
  }

  /** Goes on with a call that is `left`, by a new connection. Opens the microphone; the camera stays off. */
  async comeBack(): Promise<void> {
    if (!this.left) throw new ChaparError("no_call", "nothing to come back to");
    await this.#sit("voice");
    await this.#tellSwitches();
  }

  /** The media of the call is here from now on. */
  async #sit(media: CallMedia): Promise<void> {
    await this.#open(media);
    this.#relayOnly = this.state.relay_only;
    this.core.here = true;
    try {
      await this.#ask({ ask: "take_over" });
    } catch (error) {
      this.core.here = false;
      this.release();
      throw error;
    }
    if (!this.#gone) this.#pulse.start();
    this.#work();
  }

  /** Asks for another path: after a change of the network. */
  async restart(): Promise<void> {
    if (!this.core.here || !this.core.inCall) return;
    try {
      await this.#ask({ ask: "restart_ice" });
    } catch (error) {
      // One in a second is enough for the server; what was refused for that is asked again.
      if (error instanceof ChaparError && error.action === "retry") this.#restartSoon(error.retryAfterMs ?? RESTART_AFTER);
    }
  }

  /** How it was: 1 to 5, and what was wrong. Ask when `state.ask_rating` says so. */
  async rate(stars: number, issues: Parameters<Client["rateCall"]>[2] = []): Promise<void> {
    await this.#host.client.rateCall(this.id, stars, issues);
  }

  /** Plays the call in an element, at the chosen speaker. Returns what ends it. */
  attach(element: HTMLMediaElement): () => void {
    return this.#player.attach(element);
  }

  /** The person chose other devices, or one went: tracks and speaker follow. */
  async useDevices(which: "microphone" | "camera" | "speaker"): Promise<void> {
    if (which === "speaker") return this.#player.useSpeaker();
    const kind = which === "microphone" ? "audio" : "video";
    const track = await this.#own.reopen(kind);
    if (track) await this.#peer?.replaceTrack(kind, track);
  }

  // ---- What the server says ----------------------------------------------------------------------------------------

  takeState(state: CallState): void {
    if (!this.core.takeState(state)) return;
    if (this.core.letsGo) this.release();
    if (this.core.inCall && this.core.here) {
      if (state.relay_only === this.#relayOnly || this.#relayOnly) this.#peer?.release();
      this.#heldTracks();
      this.#work();
    }
    this.#host.changed(this, "change");
  }

  takeSignal(signal: CallSignaled): void {
    this.core.takeSignal(signal);
    this.#work();
  }

  /** Asks to be told everything again: something may have been missed, and the call itself may be gone. */
  async look(): Promise<void> {
    if (this.state.revision > 0) await this.#ask({ ask: "look" });
  }

  /** Resolves when the offer that came with the invite is here, or after a moment without one. */
  async ready(): Promise<void> {
    for (let turn = 0; turn < 10 && !this.core.ringingOffer; turn++) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** The page goes: hangs up by a request that outlives it. */
  leave(): void {
    this.release();
    this.#host.client.requestHttp("call_ask", { call_id: this.id, ask: "hang_up" });
  }

  /** Ends the media here: the microphone closes. */
  release(): void {
    this.core.here = false;
    this.#gone = true;
    this.#pulse.stop();
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#tellTimer);
    this.#peer?.close();
    this.#peer = undefined;
    this.#own.close();
    for (const track of this.remote.getTracks()) this.remote.removeTrack(track);
  }

  // ---- The driver --------------------------------------------------------------------------------------------------

  /** Does what is due, one step at a time. */
  #work(): void {
    if (this.#working) return;
    const step = this.core.due();
    if (!step) return;
    this.#working = true;
    void this.#perform(step)
      .then(
        (committed) => this.core.did(step, committed),
        (error: unknown) => this.#failed(step, error),
      )
      .finally(() => {
        this.#working = false;
        this.#work();
      });
  }

  #failed(step: Step, error: unknown): void {
    const over = error instanceof ChaparError && (error.action !== "retry" || error.code === "closed");
    if (step.do === "flows" && !over) {
      // Said once and not heard, it would read "connecting" for the whole call, on the very networks that lose such a word.
      this.core.holdBackFlows(true);
      clearTimeout(this.#tellTimer);
      this.#tellTimer = setTimeout(() => {
        this.core.holdBackFlows(false);
        this.#work();
      }, TELL_AGAIN);
      return;
    }
    // What is out of date is told anew; anything else is shown, and another path may help.
    this.core.did(step);
    if (error instanceof ChaparError && ["call_conflict", "call_ended", "call_not_found", "closed"].includes(error.code)) return;
    this.problem = error instanceof ChaparError ? error : new ChaparError("internal", String(error));
    this.#host.changed(this, "change");
    if (step.do === "answer" || step.do === "take_answer" || step.do === "offer") this.#restartSoon();
  }

  async #perform(step: Step): Promise<boolean> {
    switch (step.do) {
      case "offer": {
        if (step.fresh) this.#makePeer(await this.#host.relays(this.id), this.#relayOnly, false);
        const { sdp, commitment } = await this.#makeOffer(step.generation, step.renew !== "media" && !step.fresh, step.fresh || !this.emoji);
        await this.#ask({ ask: "offer", generation: step.generation, sdp, ...(commitment !== undefined && { commitment }) });
        return commitment !== undefined;
      }
      case "answer": {
        if (step.fresh) this.#makePeer(await this.#host.relays(this.id), this.#relayOnly, false);
        const answer = await this.#makeAnswer(step.generation, step.sdp, step.commitment, this.state.media);
        await this.#ask({ ask: "answer", generation: step.generation, ...answer });
        return false;
      }
      case "take_answer":
        await this.#takeAnswer(step);
        return false;
      case "reveal":
        await this.#ask({ ask: "reveal", generation: step.generation, nonce: this.#verification.nonce });
        return false;
      case "check":
        if (await this.#verification.check(step.generation, step.nonce)) this.#host.changed(this, "change");
        return false;
      case "candidates":
        await this.#peer?.addCandidates(step.candidates);
        return false;
      case "restrict":
        this.#relayOnly = true;
        this.#peer?.restrict();
        await this.restart();
        return false;
      case "flows":
        await this.#ask({ ask: "media", flows: step.flows });
        return false;
    }
  }

  /** It may have ended while something was waited for: what is opened then would never be closed. */
  #stillHere(): void {
    if (this.#gone) throw new ChaparError("no_call", "the call has ended");
  }

  #makePeer(servers: IceServer[], relayOnly: boolean, withhold: boolean): void {
    this.#stillHere();
    this.#peer?.close();
    this.#pulse.reset();
    const peer: Peer = new Peer(servers, relayOnly, withhold, {
      onCandidates: (candidates) => {
        if (this.#peer !== peer || this.#gone) return;
        const generation = this.core.inCall?.generation ?? 1;
        this.#ask({ ask: "candidates", generation, candidates }).catch(() => {});
      },
      onConnection: (state) => {
        if (this.#peer === peer) this.#connection(state);
      },
      onTrack: (track) => {
        for (const old of this.remote.getTracks()) if (old.kind === track.kind && old !== track) this.remote.removeTrack(old);
        this.remote.addTrack(track);
        this.#host.changed(this, "change");
      },
    });
    this.#peer = peer;
  }

  async #makeOffer(generation: number, restart: boolean, committing: boolean): Promise<{ sdp: string; commitment: string | undefined }> {
    const peer = this.#peer;
    if (!peer) throw new ChaparError("no_call", "no connection");
    peer.addTracks(this.#track("audio"), this.#track("video"), this.state.media);
    await peer.replaceTrack("video", this.#track("video"));
    const sdp = await peer.offer(restart);
    return { sdp, commitment: committing ? await this.#verification.offered(generation, sdp) : undefined };
  }

  async #makeAnswer(generation: number, offer: string, commitment: string | undefined, media: CallMedia): Promise<{ sdp: string; nonce?: string }> {
    const peer = this.#peer;
    if (!peer) throw new ChaparError("no_call", "no connection");
    const sdp = await peer.answer(offer, this.#track("audio"), this.#track("video"), media);
    const nonce = this.#verification.answered(generation, offer, sdp, commitment);
    return { sdp, ...(nonce !== undefined && { nonce }) };
  }

  async #takeAnswer({ generation, sdp, nonce }: Extract<Step, { do: "take_answer" }>): Promise<void> {
    const peer = this.#peer;
    if (!peer) return;
    await peer.takeAnswer(sdp);
    await this.#verification.gotAnswer(generation, peer.pc.localDescription?.sdp ?? "", sdp, nonce);
    this.#host.changed(this, "change");
  }

  #connection(state: "connected" | "interrupted" | "failed"): void {
    this.core.setFlows(state === "connected");
    clearTimeout(this.#restartTimer);
    this.#restartTimer = undefined;
    if (state !== "connected") this.#restartSoon();
    this.#work();
  }

  #restartSoon(after = RESTART_AFTER): void {
    this.#restartTimer ??= setTimeout(() => {
      this.#restartTimer = undefined;
      void this.restart();
    }, after);
  }

  async #open(media: CallMedia): Promise<void> {
    this.#gone = false;
    await this.#own.open("audio");
    // Without a camera one can still watch.
    if (media === "video") await this.#addCamera().catch((error: ChaparError) => this.#tellProblem(error));
  }

  async #addCamera(): Promise<void> {
    // A call that has ended opens nothing any more.
    if (this.state.standing === "ended") this.#gone = true;
    this.#stillHere();
    const track = await this.#own.open("video"); // Before `?.`, which would not open it without a peer.
    await this.#peer?.replaceTrack("video", track);
  }

  #tellProblem(error: ChaparError): void {
    this.problem = error;
    this.#host.changed(this, "change");
  }

  /** On hold nothing is sent, and nothing of the other side is heard. */
  #heldTracks(): void {
    const { inCall } = this.core;
    if (!inCall) return;
    const held = inCall.mine.held || inCall.theirs.held;
    void this.#peer?.replaceTrack("audio", held ? undefined : this.#track("audio")).catch(() => {});
    for (const track of this.remote.getTracks()) track.enabled = !held;
    if (this.state.media === "voice" && inCall.video_asked_by !== this.core.me && !this.#wishing) this.#own.stop("video");
  }

  #track(kind: "audio" | "video"): MediaStreamTrack | undefined {
    return this.#own.of(kind);
  }

  async #tellSwitches(): Promise<void> {
    this.#host.changed(this, "change");
    const camera_off = !this.local.getVideoTracks().some((track) => track.enabled);
    if (this.core.here && this.core.inCall) await this.#ask({ ask: "mute", muted: this.muted, camera_off });
  }

  async #ask(ask: Ask): Promise<void> {
    try {
      await this.#host.client.request("call_ask", { call_id: this.id, ...ask } as AskCall);
    } catch (error) {
      // The server knew of it, and does not any more: the one node that kept it died. Nobody else will end it.
      const known = this.state.revision > 0 && this.state.standing !== "ended";
      if (known && error instanceof ChaparError && error.code === "call_not_found") this.#host.over(this, "node_lost");
      throw error;
    }
  }
}
