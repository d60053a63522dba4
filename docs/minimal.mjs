// A Chapar client without cursors: each connection begins anew, with the last messages of every chat.
//   node docs/minimal.mjs http://127.0.0.1:8080 sara 'a long password' CHAT_ID     (Node 22, or 20 with --experimental-websocket)
import { createInterface } from "node:readline";
const [base, handle, password, room] = process.argv.slice(2);
const answer = await fetch(base + "/api/v1/sign-in", { method: "POST", body: JSON.stringify({ handle, password }) });
const { token, user } = await answer.json();
const outbox = [], seen = new Set(); // seen: "chat/seq" of what was shown
let socket, versions, early, live = false, wait = 1000;
const ask = (id, method, params) => socket.send(JSON.stringify({ id, method, params }));
const flush = () => live && outbox.length && ask(1, "send", outbox[0]); // one under way; the reply has id 1
const show = (chat, rows = []) => rows.forEach((row) => {
  if (seen.has(`${chat}/${row.seq}`)) return;
  seen.add(`${chat}/${row.seq}`);
  console.log(`[${chat}] #${row.seq} ${row.sender === user.id ? "me" : row.sender}: ${row.body.text ?? row.body.kind}`);
});
const step = (chat, from, version, rows) => {
  const mine = versions.get(chat) ?? 0;
  if (version <= mine) return; // known
  if (mine < from) return socket.close(); // a gap: the next welcome holds everything
  versions.set(chat, version);
  show(chat, rows);
};
function connect() {
  (versions = new Map()), (early = []);
  socket = new WebSocket(base.replace("http", "ws") + "/ws", "chapar.v1");
  socket.onopen = () => ask(0, "hello", { token });
  socket.onmessage = ({ data }) => {
    const { id, ok, error, event, data: it } = JSON.parse(data);
    if (event === "delta" && live) step(it.chat_id, it.from, it.version, it.messages);
    else if (event === "delta") early.push(it);
    else if (event) return; // everything else can be ignored
    else if (error?.action === "give_up" && id === 1) console.log("not sent:", outbox.shift(), error), flush();
    else if (error?.action === "re_authenticate") process.exit(1);
    else if (error) setTimeout(id ? flush : () => socket.close(), error.retry_after_ms ?? 1000);
    else if (id === 1) outbox.shift(), flush();
    else if (id === 0) {
      for (const { snapshot } of ok.sync.chats) step(snapshot.chat.id, 0, snapshot.version, snapshot.messages);
      for (const it of early) step(it.chat_id, it.from, it.version, it.messages);
      (live = true), (wait = 1000), flush();
    }
  };
  const again = () => setTimeout(connect, Math.random() * (wait = Math.min(30000, wait * 2)));
  socket.onerror = socket.onclose = ({ target }) => target.over || ((target.over = true), (live = false), again());
}
connect();
for await (const text of createInterface({ input: process.stdin })) {
  outbox.push({ chat_id: +room, client_id: crypto.randomUUID(), body: { kind: "text", text } });
  if (outbox.length === 1) flush();
}
