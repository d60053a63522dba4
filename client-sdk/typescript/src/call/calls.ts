// All calls of a client.

import { newClientId } from "../commands.js";
import type { Client } from "../client.js";
import { ChaparError } from "../error.js";
import type { CallId, CallMedia, CallSignaled, CallState, IceServer, UserId } from "../protocol.js";
import { Call } from "./call.js";
import { CallCore } from "./core.js";
import type { CallHost } from "./host.js";
import type { Devices } from "./media.js";
import { RelayMeter } from "./relays.js";

/** How long measuring the relays may delay a call, in milliseconds. */
const MEASURING = 700;
/** How long changes of devices and networks gather, in milliseconds. */
const SETTLE = 500;
/** Calls that are remembered after they ended, so that a late event does not bring them back. */
const REMEMBERED = 20;

/** What a client's calls tell. */
export interface CallEvents {
  /** It rings here, or this device is asked to take over. */
  incoming: Call;
  /** Something of a call changed: show it anew. */
  change: Call;
  /** There is a new measurement. */
  stats: Call;
  /** It ended: `endReason` says why. */
  ended: Call;
}

/**
 * The calls of a client. Make one for each client, and keep it as long as the client:
 *
 * ```ts
 * const calls = new Calls(client);
 * calls.on("incoming", (call) => ring(call));
 * const call = await calls.call(userId, { media: "voice" });
 * call.attach(audioElement);
 * ```
 */
export class Calls {
  readonly devices: Devices = {};
  /**
   * The page goes while a call is here. Return `true` when it is only loaded anew and will `comeBack`: the call is left as
   * it is, for as long as the server waits for a device that is away. Otherwise it is hung up.
   */
  leaving: ((call: Call) => boolean) | undefined;
  readonly #client: Client;
  readonly #calls = new Map<CallId, Call>();
  readonly #ended: CallId[] = [];
  readonly #handlers = new Map<keyof CallEvents, Set<(call: Call) => void>>();
  readonly #relays: RelayMeter;
  readonly #off: (() => void)[] = [];
  readonly #host: CallHost;
  /** Signals that came before the state of their call. */
  #early: CallSignaled[] = [];
  /** A call that lost against one from the other side at the same moment: that one is accepted as this was wished. */
  #glare: { winner: CallId; media: CallMedia; relayOnly: boolean } | undefined;

  constructor(client: Client) {
    this.#client = client;
    this.#relays = new RelayMeter(client);
    this.#host = {
      client,
      devices: this.devices,
      relays: (callId) => this.#servers(callId),
      changed: (call, what) => this.#tell(what, call),
      over: (call, reason) => this.#over(call, reason),
    };
    this.#off.push(client.on("call", ({ state }) => this.#state(state)));
    this.#off.push(client.on("call_signal", ({ signal }) => this.#signal(signal)));
    this.#off.push(client.on("connection", ({ connection }) => connection.state === "online" && this.#lookAgain()));
    this.#listen();
    for (const state of client.liveCalls()) this.#state(state);
    // What was told before this began is told again.
    this.#lookAgain();
  }

  /** The calls that have not ended. */
  list(): Call[] {
    return [...this.#calls.values()];
  }

  /** The call whose media is in this tab. */
  get current(): Call | undefined {
    return this.list().find((call) => call.core.here);
  }

  /** Calls a function for each event of a type. Returns what ends it. */
  on(type: keyof CallEvents, handler: (call: Call) => void): () => void {
    let handlers = this.#handlers.get(type);
    if (!handlers) this.#handlers.set(type, (handlers = new Set()));
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  /**
   * Calls somebody with whom one has a direct chat. Opens the microphone first; rejects with `media_denied`,
   * `media_missing`, `call_forbidden`, `call_engaged` and others, and then nothing rang.
   */
  async call(userId: UserId, options: { media?: CallMedia; relayOnly?: boolean } = {}): Promise<Call> {
    const me = this.#client.me?.id;
    if (me === undefined) throw new ChaparError("signed_out", "nobody is signed in", "re_authenticate");
    if (this.current) throw new ChaparError("call_engaged", "this device is in a call");
    const { media = "voice", relayOnly = false } = options;
    const state: CallState = {
      call_id: newClientId(),
      revision: 0,
      chat_id: this.#client.directChat(userId)?.id ?? 0,
      caller: me,
      callee: userId,
      media,
      relay_only: relayOnly,
      ask_rating: false,
      standing: "calling",
      ringing: false,
      until: new Date(Date.now() + 60_000).toISOString(),
    };
    const call = new Call(this.#host, new CallCore(me, state, relayOnly));
    this.#calls.set(call.id, call);
    try {
      const begun = call.begin(media, relayOnly);
      // Shown at once: the person may be asked for the microphone now, and may think better of it.
      this.#tell("change", call);
      await begun;
    } catch (error) {
      this.#calls.delete(call.id);
      // Theirs waited for ours.
      const theirs = this.list().find((it) => it.peer === userId && it.state.standing === "ringing");
      if (theirs) this.#rings(theirs, false);
      throw error;
    }
    return call;
  }

  /** Chooses a microphone, camera or speaker by its `deviceId`; without one the system's own. Works during a call. */
  async useDevice(kind: "microphone" | "camera" | "speaker", deviceId: string | undefined): Promise<void> {
    this.devices[kind] = deviceId;
    await this.current?.useDevices(kind);
  }

  /** Ends all media here and listens no more. */
  close(): void {
    for (const off of this.#off) off();
    for (const call of this.#calls.values()) call.release();
    this.#handlers.clear();
  }

  #tell(type: keyof CallEvents, call: Call): void {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) handler(call);
  }

  #state(state: CallState): void {
    const id = state.call_id;
    const known = this.#calls.get(id);
    if (!known) {
      const me = this.#client.me?.id;
      if (state.standing === "ended" || this.#ended.includes(id) || me === undefined) return;
      const call = new Call(this.#host, new CallCore(me, state));
      this.#calls.set(id, call);
      for (const signal of this.#early.filter((it) => it.call_id === id)) call.takeSignal(signal);
      this.#early = this.#early.filter((it) => it.call_id !== id);
      if (state.standing === "ringing") this.#rings(call, state.glare);
      if (state.standing === "take_over") this.#tell("incoming", call);
      return this.#tell("change", call);
    }
    const { core } = known;
    const before = core.state.standing;
    known.takeState(state);
    if (core.state.standing === "take_over" && before !== "take_over") this.#tell("incoming", known);
    if (core.state.standing !== "ended") return;
    if (core.state.reason === "glare" && known.begun) {
      const { media, relay_only } = core.state;
      this.#glare = { winner: core.state.winner, media, relayOnly: relay_only };
      const winner = this.#calls.get(core.state.winner);
      if (winner?.state.standing === "ringing") this.#rings(winner, true);
    }
    this.#calls.delete(id);
    this.#ended.push(id);
    if (this.#ended.length > REMEMBERED) this.#ended.shift();
    this.#tell("ended", known);
  }

  /** Connected anew: what was missed is told again, and what the server does not know any more is over. */
  #lookAgain(): void {
    for (const call of this.list()) call.look().catch(() => {});
  }

  #over(call: Call, reason: "node_lost" | "dropped"): void {
    const { call_id, chat_id, caller, callee, media, relay_only, ask_rating } = call.state;
    // Nothing that the server said before is newer.
    const revision = Number.MAX_SAFE_INTEGER;
    this.#state({ call_id, revision, chat_id, caller, callee, media, relay_only, ask_rating, standing: "ended", reason });
  }

  #rings(call: Call, glare: boolean): void {
    if (!this.current) call.prepare();
    const wished = this.#glare;
    if (glare && wished?.winner === call.id) {
      // Both called each other: the person wants this call already, and opened the microphone for it.
      this.#glare = undefined;
      const { relayOnly } = wished;
      const accepted = call.ready().then(() => call.accept({ media: wished.media, relayOnly }));
      return void accepted.catch(() => this.#tell("incoming", call));
    }
    const { current } = this;
    // Both call each other, and the server, who decides which of the two calls goes on, has not heard of ours yet.
    if (current?.begun && current.peer === call.peer && current.state.standing === "calling") return;
    if (current) return void call.busy().catch(() => {});
    this.#client.request("call_ask", { call_id: call.id, ask: "ringing" }).catch(() => {});
    this.#tell("incoming", call);
  }

  #signal(signal: CallSignaled): void {
    const call = this.#calls.get(signal.call_id);
    if (call) return call.takeSignal(signal);
    if (this.#ended.includes(signal.call_id)) return;
    this.#early.push(signal);
    this.#early = this.#early.slice(-REMEMBERED);
  }

  /** Credentials at the nearest relays. Without any the call is direct. */
  async #servers(callId: CallId): Promise<IceServer[]> {
    const late = new Promise<never[]>((resolve) => setTimeout(() => resolve([]), MEASURING));
    const round_trips = await Promise.race([this.#relays.roundTrips(), late]);
    const { servers } = await this.#client.request("call_relays", { call_id: callId, ...(round_trips.length && { round_trips }) });
    return servers;
  }

  /** Networks and devices come and go. */
  #listen(): void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const network = (): void => {
      this.#relays.forget();
      clearTimeout(timer);
      timer = setTimeout(() => void this.current?.restart(), SETTLE);
    };
    let deviceTimer: ReturnType<typeof setTimeout> | undefined;
    const devices = (): void => {
      clearTimeout(deviceTimer);
      deviceTimer = setTimeout(() => void this.#devicesChanged().catch(() => {}), SETTLE);
    };
    // The page goes for good: the other side shall not wait for it. The request outlives the page.
    const leave = (): void => {
      const { current } = this;
      if (current?.core.inCall && this.leaving?.(current)) current.release();
      else current?.leave();
    };
    const connection = (navigator as { connection?: EventTarget }).connection;
    const media = navigator.mediaDevices as MediaDevices | undefined;
    addEventListener("online", network);
    connection?.addEventListener("change", network);
    media?.addEventListener("devicechange", devices);
    addEventListener("pagehide", leave);
    this.#off.push(() => {
      removeEventListener("online", network);
      connection?.removeEventListener("change", network);
      media?.removeEventListener("devicechange", devices);
      removeEventListener("pagehide", leave);
      clearTimeout(timer);
      clearTimeout(deviceTimer);
    });
  }

  /** A headset came or went: what the person chose is used again, or the system's choice. */
  async #devicesChanged(): Promise<void> {
    const call = this.current;
    if (!call) return;
    const there = (await navigator.mediaDevices.enumerateDevices()).map((it) => it.deviceId);
    const [track] = call.local.getAudioTracks();
    const used = track?.getSettings().deviceId;
    const wanted = this.devices.microphone;
    const lost = track?.readyState === "ended" || (used !== undefined && !there.includes(used));
    if (lost || (wanted !== undefined && there.includes(wanted) && used !== wanted)) await call.useDevices("microphone");
    if (this.devices.speaker !== undefined) await call.useDevices("speaker");
    this.#tell("change", call);
  }
}
