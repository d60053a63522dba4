// What getStats says, as a report for the server and in plain words. Pure: it gets the numbers.

import type { CandidateType, IceServer, NetworkClass, PathKind, QualityReport } from "../protocol.js";

/** How the network is, in plain words. */
export type Level = "good" | "fair" | "poor";

/** What is shown of a call's quality. */
export interface CallStats extends QualityReport {
  readonly level: Level;
  /** Loudness of what arrives, 0 to 1. */
  readonly audioLevel: number;
  /** RTP packets of audio that arrived since the call began. */
  readonly packetsIn: number;
}

type Stat = Record<string, unknown> & { id: string; type: string };
const number = (it: unknown): number => (typeof it === "number" && Number.isFinite(it) ? it : 0);
const clamp = (it: number, most: number): number => Math.round(Math.min(Math.max(it, 0), most));
const perMille = (part: number, whole: number): number => (whole > 0 ? clamp((part / whole) * 1_000, 1_000) : 0);

/** Counters of one moment, to be compared with the next. */
interface Counters {
  at: number;
  received: number;
  lost: number;
  concealed: number;
  samples: number;
  bytesIn: number;
  bytesOut: number;
}

/** Makes reports out of the counters, which only grow. */
export class QualityMeter {
  #last: Counters | undefined;

  /** The counters begin anew: another peer connection. */
  reset(): void {
    this.#last = undefined;
  }

  /** What was measured since the last time. */
  read(list: Iterable<unknown>, servers: readonly IceServer[], network: NetworkClass): CallStats {
    const stats = [...list] as Stat[];
    const by = new Map(stats.map((it) => [it.id, it]));
    const of = (type: string): Stat[] => stats.filter((it) => it.type === type);
    const inbound = of("inbound-rtp").find((it) => it.kind === "audio");
    const remote = of("remote-inbound-rtp").find((it) => it.kind === "audio");
    const transport = of("transport").find((it) => it.selectedCandidatePairId);
    const pair = by.get(String(transport?.selectedCandidatePairId)) ?? of("candidate-pair").find((it) => it.nominated && it.state === "succeeded");
    const [near, far] = [by.get(String(pair?.localCandidateId)), by.get(String(pair?.remoteCandidateId))];
    const now: Counters = {
      at: number(inbound?.timestamp ?? pair?.timestamp),
      received: number(inbound?.packetsReceived),
      lost: number(inbound?.packetsLost),
      concealed: number(inbound?.concealedSamples) - number(inbound?.silentConcealedSamples),
      samples: number(inbound?.totalSamplesReceived),
      bytesIn: number(pair?.bytesReceived),
      bytesOut: number(pair?.bytesSent),
    };
    const last = this.#last ?? { ...now, received: 0, lost: 0, concealed: 0, samples: 0, bytesIn: 0, bytesOut: 0 };
    this.#last = now;
    const seconds = (now.at - last.at) / 1_000;
    const rate = (bytes: number): number => (seconds > 0 ? clamp((bytes * 8) / seconds, 100_000_000) : 0);
    const received = now.received - last.received;
    const lost = Math.max(now.lost - last.lost, 0);
    const mime = String(by.get(String(inbound?.codecId))?.mimeType ?? "").toLowerCase();
    const relay = relayOf(near, servers);
    const report: QualityReport = {
      round_trip_ms: clamp(number(pair?.currentRoundTripTime ?? remote?.roundTripTime) * 1_000, 60_000),
      jitter_ms: clamp(number(inbound?.jitter) * 1_000, 60_000),
      lost_per_mille: perMille(lost, received + lost),
      concealed_per_mille: perMille(now.concealed - last.concealed, now.samples - last.samples),
      lost_there_per_mille: perMille(number(remote?.fractionLost), 1),
      bit_rate_in: rate(now.bytesIn - last.bytesIn),
      bit_rate_out: rate(now.bytesOut - last.bytesOut),
      frame_ms: 20,
      path: pathOf(near, far),
      network,
      local: candidateType(near),
      remote: candidateType(far),
      codec: mime === "audio/red" ? "red" : mime === "audio/opus" ? "opus" : "unknown",
      ...(relay !== undefined && { relay }),
    };
    return { ...report, level: levelOf(report), audioLevel: number(inbound?.audioLevel), packetsIn: now.received };
  }
}

/** Plain words for a report: what a person would notice. */
export function levelOf(it: QualityReport): Level {
  const lost = Math.max(it.lost_per_mille, it.lost_there_per_mille);
  if (lost > 100 || it.concealed_per_mille > 50 || it.round_trip_ms > 800 || it.jitter_ms > 150) return "poor";
  if (lost > 30 || it.concealed_per_mille > 15 || it.round_trip_ms > 350 || it.jitter_ms > 60) return "fair";
  return "good";
}

/** How a device is connected, where the browser says. */
export function networkClass(): NetworkClass {
  const type = (globalThis as { navigator?: { connection?: { type?: string } } }).navigator?.connection?.type;
  const known: Record<string, NetworkClass> = { ethernet: "wired", wifi: "wifi", cellular: "mobile" };
  return known[type ?? ""] ?? "unknown";
}

function candidateType(it: Stat | undefined): CandidateType {
  const known: Record<string, string> = { host: "host", srflx: "srflx", prflx: "prflx", relay: "relay" };
  return (known[String(it?.candidateType)] ?? "unknown") as CandidateType;
}

function pathOf(near: Stat | undefined, far: Stat | undefined): PathKind {
  if (!near || !far) return "unknown";
  if (near.candidateType !== "relay") return far.candidateType === "relay" ? "relay_udp" : "direct";
  const known: Record<string, PathKind> = { udp: "relay_udp", tcp: "relay_tcp", tls: "relay_tls" };
  return known[String(near.relayProtocol)] ?? "unknown";
}

function relayOf(near: Stat | undefined, servers: readonly IceServer[]): string | undefined {
  if (near?.candidateType !== "relay") return undefined;
  return servers.find((it) => it.urls.some((url) => url === near.url))?.name ?? (servers.length === 1 ? servers[0]?.name : undefined);
}
