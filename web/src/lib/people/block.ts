import type { ChatView } from '@chapar/client';
import { isolate } from '@chapar/client/text';
import { late, sentence } from '../i18n/index.svelte';
import { router } from '../state/router.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';

/** Does it, or says why not; gives whether it is done. */
export async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    notices.tell(sentence(error));
    return false;
  }
}

/** Blocks somebody after a question; a request of theirs goes with it. Says whether it is done. */
export async function block(userId: number, chat?: ChatView): Promise<boolean> {
  const words = late().people;
  const sure = await notices.ask({ title: words.blockQuestion(isolate(session.name(userId))), text: words.blockLead, yes: words.block, danger: true });
  return sure && (await attempt(() => blockNow(userId, chat)));
}

export async function blockNow(userId: number, chat?: ChatView): Promise<void> {
  await session.client.setItem('block', userId, {});
  if (chat?.request) await decline(chat);
}

export const unblock = (userId: number): Promise<boolean> => attempt(() => session.client.setItem('block', userId));

/** A request that is declined is gone: one stands before the others, if there are any. */
export async function decline(chat: ChatView): Promise<void> {
  await session.client.answerRequest(chat.id, false);
  if (router.route.at !== 'chat' || router.route.chatId !== chat.id) return;
  await router.go({ at: session.requests.some((each) => each.id !== chat.id) ? 'requests' : 'list' });
}
