// An echo bot: npm run build, then
//   node examples/bot.mjs http://127.0.0.1:8080 echo_bot 'a long password'
import { Client, ChaparError } from "@chapar/client";

// Node 22 has a WebSocket of its own; on Node 20 the package `ws` brings one.
const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
const [url, handle, password] = process.argv.slice(2);
const bot = await Client.open({ url, WebSocket });
await bot.signIn({ handle, password, device: "bot" }).catch((error) => {
  if (!(error instanceof ChaparError) || error.code !== "invalid_credentials") throw error;
  return bot.register({ handle, password, name: "Echo", device: "bot" });
});
await bot.online();
console.log(`@${bot.me.handle} answers whoever writes`);
const answer = async (chatId, { seq, sender, body }) => {
  if (sender === bot.me.id || body.kind !== "text") return;
  await bot.send(chatId, body.text, { replyTo: seq });
  await bot.markRead(chatId, seq);
};
// From here on nothing is missed; then what came while it was away.
const events = bot.events();
for (const chat of bot.chats()) for (const { message } of await bot.unread(chat.id)) await answer(chat.id, message);
for await (const event of events) if (event.type === "message" && event.message.seq > (bot.chat(event.chatId)?.readSeq ?? 0)) await answer(event.chatId, event.message);
