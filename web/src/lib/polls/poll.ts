import type { OwnVote, Poll } from '@chapar/client';
import type { AnyBody } from '../chat/bodies';

/** Bounds of the protocol. */
export const POLL = { question: 300, option: 100, options: 10, explanation: 200 } as const;

/** A poll as it is shown, also one on its way. */
export function pollOf(body: AnyBody): Poll | undefined {
  if (body.kind !== 'poll' || !('question' in body) || typeof body.question !== 'string' || !('options' in body) || !Array.isArray(body.options)) return undefined;
  const given = body.options as readonly (string | { text: string; votes?: number })[];
  const options = given.map((it) => (typeof it === 'string' ? { text: it } : it));
  if (options.length < 2 || !options.every((it) => typeof it.text === 'string')) return undefined;
  // One on its way knows what is right; it does not tell.
  const asked = typeof given[0] === 'string';
  const { right, explanation, ...rest } = body as Poll;
  return { ...rest, options, ...(asked ? { quiz: right !== undefined } : { ...(right !== undefined && { right }), ...(explanation !== undefined && { explanation }) }) };
}

/** How an option stands. */
export interface Standing {
  text: string;
  votes: number;
  /** Of all who have voted, in whole percents; where one chooses one, they are a hundred together. */
  percent: number;
  mine: boolean;
  /** Of a quiz whose answer is known. */
  right: boolean | undefined;
}

/** Whether the results are shown: to whoever has voted, and to all when nobody can any more. */
export const isDecided = (poll: Poll, vote: OwnVote | undefined, now: number): boolean => isOver(poll, now) || (vote?.options.length ?? 0) > 0;

/** Whether nobody can vote any more; the server may not have said so yet. */
export const isOver = ({ closed, closes_at: at }: Poll, now: number): boolean => closed === true || (at !== undefined && Date.parse(at) <= now);

/** How all options stand. */
export function standings(poll: Poll, vote: OwnVote | undefined): Standing[] {
  const right = vote?.right ?? poll.right;
  const percents = percentsOf(poll.options.map((it) => it.votes ?? 0), poll.voters ?? 0, poll.multiple !== true);
  return poll.options.map(({ text, votes = 0 }, place) => ({
    text,
    votes,
    percent: percents[place] ?? 0,
    mine: vote?.options.includes(place) ?? false,
    right: right === undefined ? undefined : right === place,
  }));
}

/** Whole percents. Those that make up a whole are a hundred together: what is cut off goes to those who lose the most by it. */
export function percentsOf(votes: readonly number[], voters: number, whole: boolean): number[] {
  if (voters === 0) return votes.map(() => 0);
  const exact = votes.map((it) => (100 * it) / voters);
  if (!whole || votes.reduce((sum, it) => sum + it, 0) !== voters) return exact.map((it) => Math.min(Math.round(it), 100));
  const floors = exact.map(Math.floor);
  const left = 100 - floors.reduce((sum, it) => sum + it, 0);
  // Equal shares stay equal where they can.
  const order = exact.map((it, place) => ({ place, lost: it - Math.floor(it) })).filter((it) => it.lost > 0).sort((a, b) => b.lost - a.lost || a.place - b.place);
  for (const { place } of order.slice(0, left)) floors[place] = (floors[place] ?? 0) + 1;
  return floors;
}
