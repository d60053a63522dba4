// Pages of older messages: from memory, from the cache, from the server.

import type { Backend } from "./backend.js";
import type { Client } from "./client.js";
import type { ChatId, Message, Page, Seq } from "./protocol.js";
import type { MessageView } from "./view.js";

/** Most messages in one page. */
export const PAGE = 200;

/** Messages around a place, without holes. */
export async function historyPage(
  client: Client,
  backend: Backend,
  chatId: ChatId,
  seq: Seq,
  before: number,
  after: number,
): Promise<MessageView[]> {
  const held = fromMemory(backend, chatId, seq, before, after);
  if (held) return held;
  // What changes while the page is under way is newer than the page.
  const changed = new Map<Seq, Message>();
  const reacted = new Map<Seq, string | undefined>();
  const me = backend.view.state.me?.id;
  const off = client.on("*", (event) => {
    if (!("chatId" in event) || event.chatId !== chatId) return;
    if (event.type === "changed" || event.type === "message") changed.set(event.message.seq, event.message);
    if (event.type === "reacted" && event.reacted.user_id === me) reacted.set(event.reacted.seq, event.reacted.emoji);
  });
  try {
    const params = { chat_id: chatId, seq, before, after };
    const page = (await backend.do({ op: "request", method: "history", params, effect: { page: chatId } })) as Page;
    const mine = new Map((page.reacted ?? []).filter((it) => it.user_id === me).map((it) => [it.seq, it.emoji]));
    const views = page.messages.map((message) => {
      const newer = changed.get(message.seq);
      const current = newer && newer.version > message.version ? newer : message;
      return { message: current, myReaction: reacted.has(message.seq) ? reacted.get(message.seq) : mine.get(message.seq) };
    });
    return views;
  } finally {
    off();
  }
}

/** The page, if the window holds all of it. */
function fromMemory(backend: Backend, chatId: ChatId, seq: Seq, before: number, after: number): MessageView[] | undefined {
  const chat = backend.view.state.chats.get(chatId);
  if (!chat) return undefined;
  const end = chat.last_seq + 1;
  const place = Math.min(Math.max(seq, 1), end);
  const [from, to] = [Math.max(place - before, 1), Math.min(place + after, end)];
  if (from < chat.first) return undefined;
  const views: MessageView[] = [];
  for (let at = from; at < to; at++) {
    const message = chat.messages.get(at);
    if (!message) return undefined;
    views.push({ message, myReaction: chat.reacted.get(at) });
  }
  return views;
}
