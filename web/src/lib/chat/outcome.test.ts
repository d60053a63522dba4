import { describe, expect, it } from 'vitest';
import early from '../i18n/fa';
import late from '../i18n/late/fa';
import { outcomeOf } from './outcome';

/** Each reason of the protocol: for who called, for who was called, and for both after they talked. */
const TABLE = [
  ['hung_up', 'plain', 'plain', 'lasted'],
  ['declined', 'declined', 'declined', 'lasted'],
  ['busy', 'busy', 'missed', 'lasted'],
  ['cancelled', 'cancelled', 'missed', 'lasted'],
  ['missed', 'noAnswer', 'missed', 'lasted'],
  ['unreachable', 'unreachable', 'missed', 'lasted'],
  ['not_connected', 'notConnected', 'notConnected', 'lasted'],
  ['dropped', 'dropped', 'dropped', 'cut'],
  ['vanished', 'dropped', 'dropped', 'cut'],
  ['node_stopped', 'server', 'server', 'cut'],
  ['node_lost', 'server', 'server', 'cut'],
  ['signed_out', 'plain', 'plain', 'lasted'],
  ['of a later version', 'plain', 'plain', 'lasted'],
] as const;

describe('what came of a call', () => {
  it.each(TABLE)('%s', (reason, own, theirs, after) => {
    expect(outcomeOf(reason, 0, true)).toBe(own);
    expect(outcomeOf(reason, 0, false)).toBe(theirs);
    expect([outcomeOf(reason, 9, true), outcomeOf(reason, 9, false)]).toEqual([after, after]);
  });

  it('is said in words of its own, in the chat, in the log and at the end of the call', () => {
    const words = Object.values(early.call.outcome);
    expect(new Set(words).size).toBe(words.length);
    for (const [reason] of TABLE.slice(0, -1)) expect(late.call.ended, reason).toHaveProperty(reason);
  });
});
