import { newClientId, type ChatView, type NewBody } from '@chapar/client';
import { dates, late, sentence } from '../i18n/index.svelte';
import { session } from '../state/session.svelte';
import { menu } from '../ui/menu.svelte';
import { notices } from '../ui/notices.svelte';
import type { Draft } from './drafts.svelte';

/** Whether a message in a chat can wait until the other one is online: one must be allowed to see that, which is known where it was told. */
export const waitsFor = (chat: ChatView): boolean => chat.info.kind === 'direct' && !session.isNotes(chat) && chat.peer !== undefined && session.presences.has(chat.peer);

/** What else the button that sends can do. */
export function sendMenu(at: MouseEvent | HTMLElement, onschedule: () => void, onsilent: () => void): void {
  menu.show(at, { label: late().later.menu, above: true, items: [{ label: late().later.silently, icon: 'bellOff', run: onsilent }, { label: late().later.schedule, icon: 'clock', run: onschedule }] });
}

/** Has a message sent later; says when, or why not, and gives whether it is so. */
export async function schedule(chat: ChatView, body: NewBody, { replyTo, quote }: Pick<Draft, 'replyTo' | 'quote'>, at: Date | undefined, preview?: string): Promise<boolean> {
  try {
    await session.client.schedule({ chat_id: chat.id, client_id: newClientId(), body, ...(replyTo !== undefined && { reply_to: replyTo }), ...(quote && { quote }), ...(preview !== undefined && { preview }) }, at);
    notices.tell(at ? late().later.scheduled(dates().moment(at)) : late().later.scheduledOnline);
    return true;
  } catch (error) {
    notices.tell(sentence(error));
    return false;
  }
}
