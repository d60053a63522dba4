// One RTCPeerConnection: what the call asks of it.

import type { CallMedia, IceServer } from "../protocol.js";

/** Candidates gather for so long before they are sent, in milliseconds. */
const GATHER = 40;
/** Most candidates in one message. */
const BATCH = 16;
/** The highest bit rate of audio, in bits a second, by the state of the network: enough for FEC, or for getting through. */
const AUDIO_BIT_RATE = { good: 32_000, fair: 24_000, poor: 14_000 } as const;
const VIDEO_BIT_RATE = { good: 1_200_000, fair: 400_000, poor: 120_000 } as const;

/** What a peer connection tells. */
export interface PeerHandlers {
  /** Own candidates, each without `a=`. */
  onCandidates(candidates: string[]): void;
  /** Whether the connection stands. `failed`: it will not come back by itself. */
  onConnection(state: "connected" | "interrupted" | "failed"): void;
  onTrack(track: MediaStreamTrack): void;
}

export class Peer {
  readonly pc: RTCPeerConnection;
  readonly servers: readonly IceServer[];
  readonly #handlers: PeerHandlers;
  #audio: RTCRtpTransceiver | undefined;
  #video: RTCRtpTransceiver | undefined;
  #candidates: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Until the callee has accepted, only relay candidates may go out: the others wait here. */
  #withheld: string[] | undefined;
  #relayOnly: boolean;
  #closed = false;

  constructor(servers: readonly IceServer[], relayOnly: boolean, withhold: boolean, handlers: PeerHandlers) {
    this.servers = servers;
    this.#handlers = handlers;
    this.#relayOnly = relayOnly;
    this.#withheld = withhold ? [] : undefined;
    this.pc = new RTCPeerConnection(this.#configuration());
    this.pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.#gathered(candidate.candidate, candidate.type);
    };
    this.pc.ontrack = ({ track }) => handlers.onTrack(track);
    this.pc.onconnectionstatechange = () => {
      const state = this.pc.connectionState;
      if (this.#closed) return;
      if (state === "connected") handlers.onConnection("connected");
      else if (state === "disconnected") handlers.onConnection("interrupted");
      else if (state === "failed") handlers.onConnection("failed");
    };
  }

  /** Puts the own tracks in, on the side that offers. */
  addTracks(audio: MediaStreamTrack | undefined, video: MediaStreamTrack | undefined, media: CallMedia): void {
    this.#audio ??= this.pc.addTransceiver(audio ?? "audio", { direction: "sendrecv" });
    preferRed(this.#audio);
    if (media === "video") {
      if (!this.#video) this.#video = this.pc.addTransceiver(video ?? "video", { direction: "sendrecv" });
      else this.#video.direction = "sendrecv";
    } else if (this.#video) {
      this.#video.direction = "inactive";
    }
  }

  /** Makes an offer and sets it. */
  async offer(restart: boolean): Promise<string> {
    await this.pc.setLocalDescription(await this.pc.createOffer({ iceRestart: restart }));
    return this.#described();
  }

  /** Takes an offer, puts the own tracks in, makes an answer and sets it. */
  async answer(sdp: string, audio: MediaStreamTrack | undefined, video: MediaStreamTrack | undefined, media: CallMedia): Promise<string> {
    await this.pc.setRemoteDescription({ type: "offer", sdp });
    for (const transceiver of this.pc.getTransceivers()) {
      const kind = transceiver.receiver.track.kind;
      if (kind === "audio") {
        this.#audio = transceiver;
        transceiver.direction = "sendrecv";
        preferRed(transceiver);
        await transceiver.sender.replaceTrack(audio ?? null);
      } else if (kind === "video") {
        this.#video = transceiver;
        transceiver.direction = media === "video" ? "sendrecv" : "inactive";
        await transceiver.sender.replaceTrack(media === "video" ? (video ?? null) : null);
      }
    }
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    return this.#described();
  }

  async takeAnswer(sdp: string): Promise<void> {
    await this.pc.setRemoteDescription({ type: "answer", sdp });
  }

  async addCandidates(candidates: string[]): Promise<void> {
    for (const candidate of candidates) {
      // One that this browser cannot use must not keep the others out.
      await this.pc.addIceCandidate({ candidate, sdpMLineIndex: 0 }).catch(() => {});
    }
  }

  /** The callee has accepted: what was withheld may go out, unless the call is relay-only. */
  release(): void {
    const withheld = this.#withheld;
    this.#withheld = undefined;
    if (!withheld || this.#relayOnly) return;
    for (const candidate of withheld) this.#queue(candidate);
  }

  /** From the next gathering on only relays are used. */
  restrict(): void {
    this.#relayOnly = true;
    this.#withheld = undefined;
    this.pc.setConfiguration(this.#configuration());
  }

  /** Sends another track; nothing mutes for good. */
  async replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | undefined): Promise<void> {
    const transceiver = kind === "audio" ? this.#audio : this.#video;
    await transceiver?.sender.replaceTrack(track ?? null);
  }

  /** Lets the bit rates follow the network, as far as the browser allows. */
  async adapt(level: keyof typeof AUDIO_BIT_RATE): Promise<void> {
    for (const [transceiver, rates] of [[this.#audio, AUDIO_BIT_RATE], [this.#video, VIDEO_BIT_RATE]] as const) {
      if (!transceiver?.sender.track) continue;
      const parameters = transceiver.sender.getParameters();
      const encoding = parameters.encodings?.[0] as (RTCRtpEncodingParameters & { adaptivePtime?: boolean }) | undefined;
      if (!encoding || encoding.maxBitrate === rates[level]) continue;
      encoding.maxBitrate = rates[level];
      // Longer frames on a bad network: fewer headers. Chromium only, ignored elsewhere.
      if (transceiver === this.#audio) encoding.adaptivePtime = true;
      await transceiver.sender.setParameters(parameters).catch(() => {});
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.pc.close();
  }

  #configuration(): RTCConfiguration {
    return {
      iceServers: this.servers.map(({ urls, username, credential }) => ({ urls, username, credential })),
      iceTransportPolicy: this.#relayOnly ? "relay" : "all",
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
    };
  }

  #gathered(candidate: string, type: string | null): void {
    if (type === "relay" || !this.#withheld) this.#queue(candidate);
    else this.#withheld.push(candidate);
  }

  #queue(candidate: string): void {
    this.#candidates.push(candidate);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      while (this.#candidates.length && !this.#closed) this.#handlers.onCandidates(this.#candidates.splice(0, BATCH));
    }, GATHER);
  }

  /** The description without candidates: they follow by themselves. */
  #described(): string {
    const sdp = this.pc.localDescription?.sdp ?? "";
    return sdp.replace(/^a=(candidate:|end-of-candidates).*\r?\n/gm, "");
  }
}

/** Redundant audio (RFC 2198) before Opus, where the browser has it: one lost packet is then not heard. */
function preferRed(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities?.("audio")?.codecs ?? [];
  const is = (name: string) => (it: RTCRtpCodec): boolean => it.mimeType.toLowerCase() === name;
  const red = codecs.filter(is("audio/red"));
  if (red.length === 0 || !transceiver.setCodecPreferences) return;
  try {
    transceiver.setCodecPreferences([...red, ...codecs.filter((it) => !is("audio/red")(it))]);
  } catch {
    // A browser that does not want to is no reason not to talk.
  }
}
