/** What came of a call, for one of its two people: the one place that knows all reasons. */
export type Outcome =
  /** They talked. */
  | 'lasted'
  /** They talked until the connection broke. */
  | 'cut'
  /** To the one who was called: the call went by. */
  | 'missed'
  | 'noAnswer'
  | 'unreachable'
  | 'busy'
  | 'declined'
  | 'cancelled'
  /** Answered, but no sound came through. */
  | 'notConnected'
  | 'dropped'
  | 'server'
  /** Answered and over at once, or for a reason of a later version. */
  | 'plain';

/** What the caller is told of a call without a second of sound. */
const OWN: Record<string, Outcome> = {
  missed: 'noAnswer',
  unreachable: 'unreachable',
  busy: 'busy',
  declined: 'declined',
  cancelled: 'cancelled',
  not_connected: 'notConnected',
  dropped: 'dropped',
  vanished: 'dropped',
  node_stopped: 'server',
  node_lost: 'server',
};
/** What the server counts as missed by the one who was called. */
const MISSED = ['missed', 'unreachable', 'busy', 'cancelled'];
const CUT: Outcome[] = ['dropped', 'server'];

export function outcomeOf(reason: string, seconds: number, own: boolean): Outcome {
  const short = OWN[reason] ?? 'plain';
  if (seconds > 0) return CUT.includes(short) ? 'cut' : 'lasted';
  return !own && MISSED.includes(reason) ? 'missed' : short;
}
