// Pages of older messages: from memory, from the cache, from the server.

import type { Backend } from "./backend.js";
import type { Client } from "./client.js";
import type { ChatId, Message, Page, Seq } from "./protocol.js";
import type { CachedRows } from "./store/store.js";
import type { MessageView } from "./view.js";

/** Messages around a place, without holes: up to `before` with a smaller seq, up to `after` from it on. */
export async function historyPage(
  client: Client,
  backend: Backend,
  chatId: ChatId,
  seq: Seq,
  before: number,
  after: number,
): Promise<MessageView[]> {
  const held = await fromHere(backend, chatId, seq, before, after);
  if (held?.complete || (held?.views.length && client.connection.state !== "online")) return held.views;
  return fromServer(client, backend, chatId, seq, before, after);
}

/** What memory and cache have of a page: the stretch without holes that touches the place. */
async function fromHere(backend: Backend, chatId: ChatId, seq: Seq, before: number, after: number): Promise<{ views: MessageView[]; complete: boolean } | undefined> {
  const chat = backend.view.state.chats.get(chatId);
  if (!chat) return undefined;
  const end = chat.last_seq + 1;
  const place = Math.min(Math.max(seq, 1), end);
  const [from, to] = [Math.max(place - before, 1), Math.min(place + after, end)];
  const rows = new Map<Seq, MessageView>();
  const window = (): void => {
    for (let at = Math.max(from, chat.first); at < to; at++) {
      const message = chat.messages.get(at);
      if (message) rows.set(at, { message, myReaction: chat.reacted.get(at) });
    }
  };
  window();
  if (from < chat.first) {
    const cached = (await backend.do({ op: "rows", chatId, from, to: Math.min(to, chat.first) })) as CachedRows;
    const reacted = new Map(cached.reacted);
    for (const message of cached.messages) rows.set(message.seq, { message, myReaction: reacted.get(message.seq) });
    // What changed while the cache was read is in the window by now.
    window();
  }
  let [low, high] = [place, place];
  while (low > from && rows.has(low - 1)) low -= 1;
  while (high < to && rows.has(high)) high += 1;
  const views: MessageView[] = [];
  for (let at = low; at < high; at++) {
    const row = rows.get(at);
    if (row) views.push(row);
  }
  return { views, complete: low === from && high === to };
}

async function fromServer(client: Client, backend: Backend, chatId: ChatId, seq: Seq, before: number, after: number): Promise<MessageView[]> {
  // What changes while the page is under way may be newer than the page.
  const changed = new Map<Seq, Message>();
  const reacted = new Map<Seq, string | undefined>();
  let trusted = true;
  const me = backend.view.state.me?.id;
  const off = client.on("*", (event) => {
    if (event.type === "reset") trusted = false;
    if (!("chatId" in event) || event.chatId !== chatId) return;
    if (event.type === "replaced" || event.type === "gone") trusted = false;
    if (event.type === "changed" || event.type === "message") changed.set(event.message.seq, event.message);
    if (event.type === "reacted" && event.reacted.user_id === me) reacted.set(event.reacted.seq, event.reacted.emoji);
  });
  try {
    const params = { chat_id: chatId, seq, before, after };
    const page = (await backend.do({ op: "request", method: "history", params, effect: { page: chatId } })) as Page;
    const mine = new Map((page.reacted ?? []).filter((it) => it.user_id === me).map((it) => [it.seq, it.emoji]));
    const views = page.messages.map((message): MessageView => {
      const newer = changed.get(message.seq);
      const current = newer && newer.version > message.version ? newer : message;
      return { message: current, myReaction: reacted.has(message.seq) ? reacted.get(message.seq) : mine.get(message.seq) };
    });
    if (trusted) void cache(backend, chatId, views).catch(() => {});
    return views;
  } finally {
    off();
  }
}

/** Keeps what is older than the window, which is kept anyway. */
async function cache(backend: Backend, chatId: ChatId, views: MessageView[]): Promise<void> {
  const first = backend.view.state.chats.get(chatId)?.first;
  if (first === undefined) return;
  const old = views.filter((it) => it.message.seq < first);
  if (old.length === 0) return;
  const reacted = old.flatMap((it): [Seq, string][] => (it.myReaction === undefined ? [] : [[it.message.seq, it.myReaction]]));
  await backend.do({ op: "cache", chatId, rows: { messages: old.map((it) => it.message), reacted } });
}
