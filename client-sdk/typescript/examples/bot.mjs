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
for await (const event of bot.events()) {
  if (event.type !== "message" || event.message.sender === bot.me.id || event.message.body.kind !== "text") continue;
  bot.send(event.chatId, event.message.body.text, { replyTo: event.message.seq });
  void bot.markRead(event.chatId, event.message.seq);
}
