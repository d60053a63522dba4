import { isolate } from '@chapar/client/text';
import { late } from '../i18n/index.svelte';
import { router } from '../state/router.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';

/** Being said: each once, however often something else changes meanwhile. */
const saying = new Set<number>();

/** Says what became of the wish to be let into chats, and why one was removed; once said it is taken back. */
export function hear(): void {
  const words = late().join;
  for (const { chat_id: chatId, value } of session.items('join_request')) {
    const inside = session.chat(chatId);
    if (!value || saying.has(chatId) || !(inside || value.declined)) continue;
    saying.add(chatId);
    const title = isolate(inside ? session.title(inside) : value.title);
    const open = (): void => void router.go({ at: 'chat', chatId });
    // Whoever has the chat on the screen knows.
    const here = router.route.at === 'chat' && router.route.chatId === chatId;
    if (!inside) notices.tell(words.declined(title));
    else if (!here) notices.tell(words.accepted(title), { label: words.open, run: open });
    // Failed, it is said again when the app comes back.
    void session.client.setItem('join_request', chatId).catch(() => {}).finally(() => saying.delete(chatId));
  }
  for (const { chat_id: chatId, value } of session.items('removed')) {
    if (!value || saying.has(-chatId)) continue;
    saying.add(-chatId);
    const { removed } = late().members;
    void notices.ask({ title: removed.title(isolate(value.title)), text: removed.reason(isolate(value.reason)), yes: removed.understood }).then(() =>
      session.client.setItem('removed', chatId).catch(() => {}).finally(() => saying.delete(-chatId)),
    );
  }
}
