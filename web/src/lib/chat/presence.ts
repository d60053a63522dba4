import type { ChatView } from '@chapar/client';
import { dates, t } from '../i18n/index.svelte';
import { clock } from '../state/clock.svelte';
import { session } from '../state/session.svelte';
import { shortName } from '../people/short-name';
import { isolate } from '@chapar/client/text';

/** Who writes in a chat now, in words; nothing when nobody does. */
export function typingWords(chat: ChatView): string | undefined {
  const writers = session.typing.get(chat.id);
  if (!writers || writers.length === 0) return undefined;
  const words = t().presence;
  if (chat.info.kind === 'direct') return words.typing;
  return writers.length === 1 ? words.typingOne(isolate(shortName(session.name(writers[0] as number)))) : words.typingMany(writers.length);
}

/** The line under the name of a chat. */
export function standing(chat: ChatView): string {
  const typing = typingWords(chat);
  if (typing !== undefined) return typing;
  const words = t().presence;
  if (session.isNotes(chat)) return '';
  if (chat.info.kind === 'group') return words.members(session.members(chat.id).length);
  if (chat.info.kind === 'channel') return chat.info.member_count ? words.members(chat.info.member_count) : t().chat.kind.channel;
  const presence = chat.peer === undefined ? undefined : session.presences.get(chat.peer);
  // Of whom nothing is known, or told, nothing is said.
  if (!presence) return '';
  if (presence.online) return words.online;
  return presence.last_seen_at === undefined ? '' : dates().lastSeen(new Date(presence.last_seen_at), clock.now);
}

export function isOnline(chat: ChatView): boolean {
  if (chat.info.kind !== 'direct' || chat.peer === undefined || session.isNotes(chat)) return false;
  return session.presences.get(chat.peer)?.online === true;
}
