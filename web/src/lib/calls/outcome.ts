import { late, t } from '../i18n/index.svelte';
import { outcomeOf } from '../chat/outcome';

/** Why a call ended, at its end. */
export function endWords({ reason, outgoing }: { reason: string; outgoing: boolean }): string {
  if (outcomeOf(reason, 0, outgoing) === 'missed') return t().service.callMissed;
  return (late().call.ended as Record<string, string>)[reason] ?? late().call.ended.hung_up;
}
