import { isolate } from '@chapar/client/text';
import { late } from '../i18n/index.svelte';
import { router } from '../state/router.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';

/** Said, or being said: each once, also while the word that it was seen is on its way. */
const said = new Set<string>();

/** Whether it is to be said now. */
function due(what: string, chatId: number, at: string): boolean {
  const key = `${what} ${chatId} ${at}`;
  return !said.has(key) && said.add(key).size > 0;
}

/** Says what became of the wish to be let into chats, and why one was removed; once said it is taken back. What cannot be taken back now is said again later. */
export function hear(): void {
  const words = late().join;
  const { client } = session;
  for (const { chat_id: chatId, value } of session.items('join_request')) {
    const inside = session.chat(chatId);
    if (!value || !(inside || value.declined) || !due('request', chatId, value.at)) continue;
    const title = isolate(inside ? session.title(inside) : value.title);
    const open = (): void => void router.go({ at: 'chat', chatId });
    // Whoever has the chat on the screen knows.
    const here = router.route.at === 'chat' && router.route.chatId === chatId;
    if (!inside) notices.tell(words.declined(title));
    else if (!here) notices.tell(words.accepted(title), { label: words.open, run: open });
    void client.setItem('join_request', chatId).catch(() => {});
  }
  for (const { chat_id: chatId, value } of session.items('removed')) {
    if (!value || !due('removed', chatId, value.at)) continue;
    const { removed } = late().members;
    const question = { title: removed.title(isolate(value.title)), text: removed.reason(isolate(value.reason)), yes: removed.understood };
    void notices.ask(question).then(() => client.setItem('removed', chatId).catch(() => {}));
  }
}
