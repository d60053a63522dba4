// A whole Chapar client without libraries. Two terminals, two people:
//   node docs/client.mjs http://127.0.0.1:8080 sara 'a long password' amir
//   node docs/client.mjs http://127.0.0.1:8080 amir 'another password' sara
// Node 22 or later; Node 20 with --experimental-websocket. The Rn are the rules of docs/PROTOCOL.md.
import { createInterface } from "node:readline";
const [base, handle, password, peer] = process.argv.slice(2);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const http = async (path, body, token) => {
  const answer = await fetch(base + path, { method: "POST", headers: token ? { authorization: `Bearer ${token}` } : {}, body: JSON.stringify(body) });
  return answer.ok ? answer.json() : Promise.reject(await answer.json());
};
const { token, user } = await http("/api/v1/register", { handle, password }).catch((error) =>
  error.code === "handle_taken" ? http("/api/v1/sign-in", { handle, password, device: "client.mjs" }) : Promise.reject(error));
const chats = new Map(), outbox = [], calls = new Map(); // chats: id → { version, wanted, rows: seq → message }
let socket, epoch, userVersion = 0, attempt = 0, due, nextId = 1, early = [], heard, sending = false;
const chat = (id) => chats.get(id) ?? chats.set(id, { version: 0, wanted: 0, rows: new Map() }).get(id);
const call = (method, params) => new Promise((ok, fail) => {
  calls.set(nextId, { ok, fail });
  socket.send(JSON.stringify({ id: nextId++, method, params }));
});
function show(mine, rows) { // R2: a row replaces the one with the same seq unless it is older
  for (const row of rows) {
    if (row.version < (mine.rows.get(row.seq)?.version ?? 0)) continue;
    mine.rows.set(row.seq, row);
    console.log(`#${row.seq} ${row.sender === user.id ? "me" : row.sender}: ${row.body.text ?? `(${row.body.kind})`}`);
    const stored = row.sender === user.id ? outbox.findIndex((it) => it.client_id === row.client_id) : -1;
    if (stored >= 0 && !sending) outbox.splice(stored, 1); // R13
  }
}
function apply(delta) { // R2, R3
  const mine = chat(delta.chat_id);
  if (delta.version <= mine.version) return;
  if (delta.from > mine.version || (mine.version === 0 && !delta.chat)) return void catchUp(delta.chat_id, delta.version);
  mine.version = delta.version;
  show(mine, delta.messages ?? []);
}
function take(answer) { // a delta, or R7: a snapshot
  if (answer.kind === "delta") return apply(answer.delta);
  const { snapshot } = answer, mine = chat(snapshot.chat.id);
  if (snapshot.version <= mine.version) return;
  mine.version = snapshot.version;
  mine.rows.clear();
  show(mine, snapshot.messages);
}
async function catchUp(id, upto) { // R3, R4: one question at a time, until what is known to exist is here
  const mine = chat(id);
  mine.wanted = Math.max(mine.wanted, upto);
  if (mine.asking) return;
  mine.asking = true;
  for (let more = true; more || mine.version < mine.wanted; ) {
    const answer = await call("difference", { chat_id: id, from: mine.version }).catch((error) => error);
    if (answer.action === "retry") await sleep(answer.retry_after_ms ?? 1000);
    else if (answer.action) break; // not ours any more, or the connection is gone: `hello` brings the rest
    else take(answer), (more = answer.more);
  }
  mine.asking = false;
}
function me(delta) { // R9, R6
  if (delta.version <= userVersion) return;
  if (delta.from > userVersion) return void call("user_difference", { from: userVersion }).then(me, () => {});
  userVersion = delta.version;
  if (delta.more) call("user_difference", { from: userVersion }).then(me, () => {});
  for (const it of (delta.items ?? []).filter((it) => it.kind === "chat")) it.role ? chat(it.chat_id).version || catchUp(it.chat_id, 1) : chats.delete(it.chat_id);
}
async function flush() { // R12: one message under way, the same client id on each try
  if (sending) return;
  sending = true;
  while (outbox.length && socket.live && !due) {
    const error = await call("send", outbox[0]).then(() => null, (error) => error);
    if (error?.action === "resume") break;
    if (error?.action === "retry") { await sleep(error.retry_after_ms ?? 1000); continue; }
    if (error) console.log("not sent:", error.message);
    outbox.shift();
  }
  sending = false;
}
const on = { delta: apply, me, drain: (it) => { due = Date.now() + it.reconnect_after_ms; setTimeout((it) => it.close(), it.reconnect_after_ms, socket); } };
async function greet() { // R1, R5, R8
  const cursors = [...chats].map(([id, it]) => [id, it.version, 0]);
  const { sync, heartbeat_seconds } = await call("hello", { token, resume: epoch && { epoch, user_version: userVersion, chats: cursors } });
  if (sync.reset) chats.clear(), (userVersion = 0);
  epoch = sync.epoch;
  for (const it of sync.chats) take(it), it.more && catchUp(it.delta.chat_id, 0);
  me(sync.user);
  for (const id of sync.behind ?? []) catchUp(id, 0);
  socket.live = true;
  for (const it of early.splice(0)) on[it.event]?.(it.data);
  socket.timer = setInterval(() => { // R16; WebSocket pings cannot be seen from here, so ask for something
    if (Date.now() - heard > 2000 * heartbeat_seconds) socket.close(); else call("ping", {}).catch(() => {});
  }, 1000 * heartbeat_seconds);
  flush();
}
function connect() {
  const began = (heard = Date.now()), mine = (socket = new WebSocket(base.replace("http", "ws") + "/ws", "chapar.v1"));
  mine.onopen = () => greet().catch((error) => { due = error.retry_after_ms && Date.now() + error.retry_after_ms; ["retry", "resume"].includes(error.action) ? mine.close() : (console.log(error), process.exit(1)); });
  mine.onmessage = ({ data }) => {
    const frame = JSON.parse(data), waiting = calls.get(frame.id);
    heard = Date.now();
    if (frame.event) return mine.live || frame.event === "drain" ? on[frame.event]?.(frame.data) : early.push(frame); // R5, R17
    calls.delete(frame.id);
    frame.ok ? waiting?.ok(frame.ok) : waiting?.fail(frame.error);
  };
  mine.onerror = mine.onclose = async ({ code }) => { // R14, R15. Node 20 says only `error` when nobody answers
    if (mine.over) return;
    mine.over = true;
    clearInterval(mine.timer);
    mine.live = false;
    early = [];
    for (const { fail } of calls.values()) fail({ action: "resume", message: "connection lost" });
    calls.clear();
    if ([1002, 1009, 4003, 4008].includes(code)) process.exit(1);
    if (Date.now() - began > 10000) attempt = 0;
    await sleep(due ? due - Date.now() : Math.random() * Math.min(30000, 1000 * 2 ** attempt++));
    due = undefined;
    connect();
  };
}
connect();
const ask = (method, params) => http(`/api/v1/call/${method}`, params, token);
let found;
while (!(found = await ask("resolve", { handle: peer }).catch(() => null))) await sleep(1000); // not registered yet
const chat_id = (await ask("open_direct", { user_id: found.user.id })).chat.id;
for await (const text of createInterface({ input: process.stdin })) {
  outbox.push({ chat_id, client_id: crypto.randomUUID(), body: { kind: "text", text } });
  flush();
}
