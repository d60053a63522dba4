import type { Poll } from '@chapar/client';
import { describe, expect, it } from 'vitest';
import { isDecided, isOver, percentsOf, pollOf, standings } from './poll';

const poll = (more: Partial<Poll> = {}): Poll => ({ question: 'چای؟', options: [{ text: 'بله', votes: 2 }, { text: 'نه', votes: 1 }], voters: 3, ...more });

describe('percents', () => {
  it('are a hundred together where one chooses one', () => {
    expect(percentsOf([1, 1, 1], 3, true)).toEqual([34, 33, 33]);
    expect(percentsOf([2, 1], 3, true)).toEqual([67, 33]);
    expect(percentsOf([1, 1], 2, true)).toEqual([50, 50]);
    for (const votes of [[7, 11, 13, 1], [1, 999], [0, 5, 0]]) {
      const all = votes.reduce((sum, it) => sum + it, 0);
      expect(percentsOf(votes, all, true).reduce((sum, it) => sum + it, 0)).toBe(100);
    }
  });

  it('go by people where one chooses several, and are none where nobody has voted', () => {
    expect(percentsOf([3, 3, 1], 3, false)).toEqual([100, 100, 33]);
    expect(percentsOf([0, 0], 0, true)).toEqual([0, 0]);
  });
});

describe('a poll', () => {
  it('shows its results to whoever has voted, and to all in the end', () => {
    const now = Date.parse('2026-11-28T20:00:00.000Z');
    const vote = { seq: 1, turn: 1, options: [1] };
    expect(isDecided(poll(), undefined, now)).toBe(false);
    expect(isDecided(poll(), vote, now)).toBe(true);
    expect(isDecided(poll(), { ...vote, options: [] }, now)).toBe(false);
    expect(isDecided(poll({ closed: true }), undefined, now)).toBe(true);
    expect(isOver(poll({ closes_at: '2026-11-28T20:00:01.000Z' }), now)).toBe(false);
    expect(isOver(poll({ closes_at: '2026-11-28T20:00:00.000Z' }), now)).toBe(true);
  });

  it('says what is right once one has answered', () => {
    const quiz = poll({ quiz: true });
    expect(standings(quiz, undefined).map((it) => it.right)).toEqual([undefined, undefined]);
    const answered = standings(quiz, { seq: 1, turn: 1, options: [1], right: 0 });
    expect(answered.map(({ mine, right, percent }) => [mine, right, percent])).toEqual([[false, true, 67], [true, false, 33]]);
  });

  it('is one that is on its way too, and tells nobody what is right', () => {
    const asked = pollOf({ kind: 'poll', question: '۲+۲؟', options: ['۳', '۴'], right: 1, explanation: 'چون' });
    expect(asked).toEqual({ kind: 'poll', question: '۲+۲؟', options: [{ text: '۳' }, { text: '۴' }], quiz: true });
    expect(pollOf({ kind: 'text', text: 'x' })).toBeUndefined();
    expect(pollOf({ kind: 'poll', question: 'x', options: [1, 2] } as never)).toBeUndefined();
  });
});
