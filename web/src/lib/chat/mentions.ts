import type { ChatView } from '@chapar/client';
import { session } from '../state/session.svelte';
import { furtherMembers } from './further-members.svelte';
import { mark, type Words } from './mention-text';

/** The same words, in which handles of members of a group are marked as theirs: they are told. */
export function withMentions(chat: ChatView, words: Words): Words {
  if (chat.info.kind !== 'group' || !words.text.includes('@')) return words;
  const handles = new Map<string, number>();
  for (const id of membersOf(chat.id)) {
    const handle = session.user(id)?.handle;
    if (handle !== undefined) handles.set(handle, id);
  }
  return mark(words, (handle) => handles.get(handle));
}

/** The members of a group, as far as they are known. */
export function membersOf(chatId: number): number[] {
  const first = session.members(chatId).map((member) => member.user_id);
  const known = new Set(first);
  return [...first, ...furtherMembers(chatId).filter((id) => !known.has(id))];
}
