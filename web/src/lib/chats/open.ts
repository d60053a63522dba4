import { ChaparError } from '@chapar/client';
import { sentence, t } from '../i18n/index.svelte';
import { router } from '../state/router.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';

/** Opens the chat with a person. */
export async function openDirect(userId: number): Promise<void> {
  try {
    const known = session.client.directChat(userId);
    const chatId = known?.id ?? (await session.client.openDirect(userId)).chat.id;
    await router.go({ at: 'chat', chatId });
  } catch (error) {
    notices.tell(sentence(error));
  }
}

/** Opens what a handle stands for: a person's chat, or a public one, which is joined. Says whether there was anything. */
export async function openHandle(handle: string): Promise<boolean> {
  try {
    const { user, chat } = await session.client.resolve(handle);
    if (user) await openDirect(user.id);
    else if (chat) {
      const chatId = session.chat(chat.id)?.id ?? (await session.client.join(handle)).chat.id;
      await router.go({ at: 'chat', chatId });
    } else throw new ChaparError('chat_not_found', 'nothing by that name');
    return true;
  } catch (error) {
    const nothing = error instanceof ChaparError && (error.code === 'user_not_found' || error.code === 'chat_not_found');
    notices.tell(nothing ? t().create.notFound(handle) : sentence(error));
    return false;
  }
}
