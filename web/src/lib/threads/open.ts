import type { Comments } from '@chapar/client';
import { late, sentence } from '../i18n/index.svelte';
import { router } from '../state/router.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';

/** Opens the comments on a post; whoever is not in the group is asked whether they want to come in. */
export async function openThread(channelId: number, { chat_id, seq }: Comments): Promise<void> {
  if (!session.chat(chat_id)) {
    if (!(await notices.ask({ title: late().threads.join, text: late().threads.joinLead, yes: late().threads.join }))) return;
    try {
      await session.client.joinDiscussion(channelId);
    } catch (error) {
      notices.tell(sentence(error));
      return;
    }
  }
  await router.go({ at: 'thread', chatId: chat_id, root: seq });
}
