// Runs the shared vectors of protocol/vectors against the session core. Their format: protocol/vectors/README.md.

import { readFileSync, readdirSync } from "node:fs";
import type { Chat } from "../../src/core/chat.js";
import { Chat as ChatClass } from "../../src/core/chat.js";
import type { OutboxItem } from "../../src/core/patch.js";
import type { Effect } from "../../src/core/requests.js";
import { Session } from "../../src/core/session.js";
import { DEFAULT_CONFIG, type Input } from "../../src/core/session_io.js";
import { unreadOf } from "../../src/view.js";
import { emptyState, type State } from "../../src/core/sync.js";

// Vectors are free-form JSON.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

// The runner tells of WebSocket pings (`alive`), so the core need not ask for signs of life itself.
const CONFIG = { ...DEFAULT_CONFIG, ping: false };
const ME = { id: 1, handle: "sara", name: "Sara" };
const FOLDER = new URL("../../../../protocol/vectors/", import.meta.url);

export const vectorNames = (): string[] => readdirSync(FOLDER).filter((name) => name.endsWith(".json")).sort();
export const vector = (name: string): Json => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));

const item = ({ chat_id, client_id, text }: Json, order = 0): OutboxItem => ({
  client_id,
  chat_id,
  body: { kind: "text", text },
  at: 0,
  order,
});

function stateOf(given: Json): State {
  const state = emptyState();
  if (given.epochs === undefined) return state;
  state.me = ME;
  state.epochs = given.epochs;
  state.own = { ...state.own, version: given.user_version, chats: new Map((given.mine ?? []).map((it: Json) => [it.chat_id, it])) };
  for (const snapshot of given.chats ?? []) state.chats.set(snapshot.chat.id, ChatClass.fromSnapshot(snapshot, ME.id));
  return state;
}

/** Through the form in which a store keeps it. */
function restarted(state: State): State {
  const saved = structuredClone({
    epochs: state.epochs,
    own: state.own,
    chats: [...state.chats.values()].map((chat) => chat.whole()),
  });
  const chats = new Map<number, Chat>(saved.chats.map((it) => [it.head.info.id, ChatClass.fromPatch(it)]));
  return { me: ME, epochs: saved.epochs, own: saved.own, chats };
}

export class World {
  session: Session;
  #now = 0;
  #most: boolean;
  #store: Map<string, OutboxItem>;
  #connect = false;
  #open: Json[] = [];
  #sends: Json[] = [];
  #delay: number | undefined;
  #tickets = 0;

  /** `most`: what the dice show, always the most or always 1. */
  constructor(given: Json, most: boolean) {
    this.#most = most;
    const outbox: OutboxItem[] = (given.outbox ?? []).map((it: Json, index: number) => item(it, index));
    this.#store = new Map(outbox.map((it) => [it.client_id, it]));
    this.session = new Session(CONFIG, "token", stateOf(given), outbox);
    this.#handle({ type: "tick" });
    if (given.phase === "live") {
      this.step("connect", true);
      const user = { from: given.user_version, version: given.user_version };
      this.step("welcome", { epochs: given.epochs, user, chats: [] });
    }
    this.#sends = [];
  }

  step(verb: string, value: Json): void {
    switch (verb) {
      case "connect":
        this.#awaitConnect();
        return this.#handle({ type: "opened" });
      case "refuse_connection":
        this.#awaitConnect();
        return this.#handle({ type: "lost", message: "refused" });
      case "welcome":
        return this.#answer("hello", {}, {
          ok: { user: ME, device_id: 1, server_time: "2026-11-23T08:30:00.000Z", heartbeat_seconds: 30, sync: value },
        });
      case "receive":
        return this.#handle({ type: "frame", text: JSON.stringify(value) });
      case "reply": {
        const { method, params, ...outcome } = value;
        return this.#answer(method, params ?? {}, outcome);
      }
      case "hurry":
        return this.#handle({ type: "hurry" });
      case "close":
        return this.#handle({ type: "close", stop: { reason: "closed" } });
      case "ping":
        return this.#handle({ type: "alive" });
      case "lost":
        this.#open = [];
        return this.#handle({ type: "lost", code: value.code, message: "test" });
      case "advance_ms":
        this.#now += value;
        return this.#handle({ type: "tick" });
      case "send":
        return this.#handle({ type: "send", ticket: ++this.#tickets, item: item(value) });
      case "call": {
        const effects: Record<string, Effect> = { history: { page: value.params.chat_id }, get_chat: "snapshot" };
        const effect = effects[value.method] ?? "none";
        return this.#handle({ type: "request", ticket: ++this.#tickets, method: value.method, params: value.params, effect });
      }
      case "restart":
        this.session = new Session(CONFIG, "token", restarted(this.session.state), [...this.#store.values()]);
        this.#open = [];
        return this.#handle({ type: "tick" });
      case "serve_differences":
        return this.#serveDifferences(value);
      default:
        throw new Error(`unknown step ${verb}`);
    }
  }

  /** What differs from an expectation, if anything does. */
  check(expect: Json): string | undefined {
    const sends = this.#sends.splice(0);
    const stop = this.session.phase.at === "stopped" ? this.session.phase.stop.reason : undefined;
    const found: Json = {
      sends,
      state: this.#state(),
      phase: this.session.phase.at === "draining" ? "live" : this.session.phase.at,
      stopped: stop,
      outbox: this.session.outbox().map(({ item, state }) => ({ client_id: item.client_id, state: state.state })),
    };
    for (const [name, wanted] of Object.entries<Json>(expect ?? {})) {
      if (name === "delay_ms") {
        const fits = this.#delay !== undefined && this.#delay >= wanted[0] && this.#delay <= wanted[1];
        if (!fits) return `waits ${this.#delay} ms, not ${wanted}`;
      } else if (name === "absent_in_first_send") {
        if (sends[0].params[wanted] !== undefined) return `${wanted} is there`;
      } else {
        if (!(name in found)) return `unknown expectation ${name}`;
        const error = differs(found[name], wanted, name);
        if (error) return error;
      }
    }
    return undefined;
  }

  #handle(input: Input): void {
    const dice = (bound: number): number => (this.#most ? bound - 1 : Math.min(1, bound - 1));
    this.session.handle(this.#now, dice, input);
    for (const output of this.session.take()) {
      if (output.type === "connect") this.#connect = true;
      else if (output.type === "disconnect") this.#open = [];
      else if (output.type === "unstore") this.#store.delete(output.clientId);
      else if (output.type === "store") {
        this.#store.set(output.item.client_id, structuredClone(output.item));
        this.#handle({ type: "stored", clientId: output.item.client_id, ok: true });
      } else if (output.type === "write") {
        const frame = JSON.parse(output.text);
        this.#open.push(frame);
        this.#sends.push({ method: frame.method, params: frame.params });
      }
    }
    if (this.session.phase.at === "waiting") this.#delay = this.session.phase.until - this.#now;
  }

  /** Lets time pass until the client wants a connection. */
  #awaitConnect(): void {
    while (!this.#connect) {
      const deadline = this.session.deadline(this.#now);
      if (deadline === Infinity) throw new Error("the client never wants to connect");
      this.#now = Math.max(this.#now, deadline);
      this.#handle({ type: "tick" });
    }
    this.#connect = false;
  }

  #answer(method: string, params: Json, outcome: Json): void {
    const index = this.#open.findIndex((it) => it.method === method && !differs(it.params, params, ""));
    if (index < 0) throw new Error(`no open ${method} ${JSON.stringify(params)}`);
    const [request] = this.#open.splice(index, 1);
    this.#handle({ type: "frame", text: JSON.stringify({ id: request.id, ...outcome }) });
  }

  #serveDifferences({ chat_id, version, rows, page }: Json): void {
    for (let turn = 0; turn < 1_000; turn++) {
      const request = this.#open.find((it) => it.method === "difference");
      if (!request) return;
      const [[, from]] = request.params.chats;
      const newer = rows.filter((row: Json) => row.version > from);
      const some = newer.slice(0, page);
      const delta = { chat_id, from, version: some.at(-1)?.version ?? version, rows: some };
      this.#answer("difference", request.params, { ok: { chats: [{ kind: "delta", delta, more: newer.length > page }] } });
    }
    throw new Error("the client asks for ever");
  }

  #state(): Json {
    const { state } = this.session;
    const chats: Json = {};
    for (const [id, chat] of state.chats) {
      const mine = state.own.chats.get(id);
      const read_seq = mine?.read_seq ?? 0;
      chats[id] = {
        version: chat.version,
        title: chat.info.title,
        description: chat.info.description,
        photo: chat.info.photo,
        pinned: chat.info.pinned ?? [],
        last_seq: chat.last_seq,
        first_seq: chat.first,
        members: [...chat.members.values()].sort((a, b) => a.user_id - b.user_id).map((it) => [it.user_id, it.role]),
        messages: chat.rows(),
        reacted: Object.fromEntries(chat.reacted),
        role: mine?.role,
        read_seq,
        unread: unreadOf(chat, read_seq, state.me?.id),
        others_read: chat.others_read,
        mentions: chat.mentions.filter((seq) => seq > read_seq),
      };
    }
    const items = [...state.own.items].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
    return { epochs: state.epochs, user_version: state.own.version, missed_calls: state.own.missedCalls, items, chats };
  }
}

/** How what was found fails to hold what was wanted: objects by their fields (null = absent), lists whole. */
export function differs(found: Json, wanted: Json, where: string): string | undefined {
  const failure = `${where}: wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`;
  if (wanted === null) return found === null || found === undefined ? undefined : failure;
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found) || found.length !== wanted.length) return failure;
    return wanted.map((it, index) => differs(found[index], it, `${where}[${index}]`)).find(Boolean);
  }
  if (typeof wanted === "object") {
    if (typeof found !== "object" || found === null) return failure;
    return Object.entries(wanted).map(([key, it]) => differs(found[key], it, `${where}.${key}`)).find(Boolean);
  }
  return found === wanted ? undefined : failure;
}
