import { standingIn, type ChatView, type Standing } from '@chapar/client';
import { dates, t } from '../i18n/index.svelte';

/** Longest time that a timer can wait, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

let ended = $state(0);
const awaited = new Set<string>();

/** What this person may do in a chat now. Read anew when a restriction ends: the server tells nobody that. */
export function standingOf(chat: ChatView): Standing {
  void ended;
  const now = Date.now();
  const standing = standingIn(chat.info, chat.role, chat.own, now);
  const { until } = standing;
  if (until !== undefined && !awaited.has(until)) {
    awaited.add(until);
    setTimeout(() => {
      awaited.delete(until);
      ended += 1;
    }, Math.min(Math.max(Date.parse(until) - now, 0) + 20, LONGEST));
  }
  return standing;
}

/** Why one cannot write where one could look for it. */
export function whyShut(chat: ChatView, { denied, until }: Standing): string {
  const words = t().chat;
  if (denied.has('write')) return until === undefined ? words.restricted : words.restrictedUntil(dates().end(new Date(until), new Date()));
  return chat.info.kind === 'channel' ? words.readOnly : words.quiet;
}
