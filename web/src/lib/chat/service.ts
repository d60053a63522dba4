import type { ServiceAction } from '@chapar/client';
import { dates, t } from '../i18n/index.svelte';
import { session } from '../state/session.svelte';
import { isolate } from '@chapar/client/text';
import { spanOf } from '../time/span';
import { outcomeOf } from './outcome';

/** What happened in a chat, as a sentence. */
export function serviceText(action: ServiceAction, sender: number): string {
  const words = t().service;
  const name = (id: number): string => isolate(id === session.me?.id ? t().common.you : session.name(id));
  const fields = action as Record<string, unknown>;
  const own = sender === session.me?.id;
  switch (action.type) {
    case 'created':
      return words.created(name(sender), own);
    case 'joined':
      return words.joined(name(sender), own);
    case 'left':
      return words.left(name(sender), own);
    case 'added': {
      const ids = Array.isArray(fields['user_ids']) ? (fields['user_ids'] as number[]) : [];
      return words.added(name(sender), ids.map(name).join(t().common.and), own);
    }
    case 'removed':
      return words.removed(name(sender), name(Number(fields['user_id'])), own);
    case 'settings':
      return settingsText(fields, name(sender), own);
    case 'call':
      return callText(fields);
    default:
      return words.other;
  }
}

/** The settings of which a line tells; the first of several that were changed at once. */
function settingsText(fields: Record<string, unknown>, who: string, own: boolean): string {
  const words = t().service;
  if (typeof fields['no_forwarding'] === 'boolean') return words.forwarding(who, !fields['no_forwarding'], own);
  if (typeof fields['hidden_history'] === 'boolean') return words.hides(who, fields['hidden_history'], own);
  const after = fields['delete_after'];
  if (typeof after !== 'number') return words.other;
  return after > 0 ? words.deletes(who, spanOf(after), own) : words.deletesNot(who, own);
}

function callText(fields: Record<string, unknown>): string {
  const words = t().service;
  const seconds = Number(fields['seconds'] ?? 0);
  const outcome = outcomeOf(String(fields['reason']), seconds, fields['caller'] === session.me?.id);
  const time = dates().duration(seconds * 1000);
  if (outcome === 'lasted') return words.callLasted(time);
  if (outcome === 'cut') return words.callCut(time);
  if (outcome === 'missed') return words.callMissed;
  return outcome === 'plain' ? words.call : words.callCame(t().call.outcome[outcome]);
}
