// People and what they say, over the HTTP API: for filling a server before a browser looks at it.
import { randomUUID } from 'node:crypto';

/** Somebody with an account. */
export class Person {
  constructor(url, { token, user }) {
    this.url = url;
    this.token = token;
    this.id = user.id;
    this.handle = user.handle;
    this.name = user.name;
  }

  static password = 'a long password';

  static async register(url, handle, name) {
    return new Person(url, await post(`${url}/api/v1/register`, { handle, name, password: Person.password, device: 'seed' }));
  }

  /** Any command of the protocol. */
  call(method, params) {
    return post(`${this.url}/api/v1/call/${method}`, params, this.token);
  }

  async direct(other) {
    return (await this.call('open_direct', { user_id: other.id })).chat.id;
  }

  async create(kind, title, members, handle) {
    const made = await this.call('create_chat', {
      client_id: randomUUID(),
      kind,
      title,
      members: members.map((member) => member.id),
      ...(handle && { handle }),
    });
    return made.chat.id;
  }

  /** Sends a text, or a text with entities; returns its seq. */
  async say(chatId, text, more = {}) {
    const { entities, reply_to } = more;
    const body = { kind: 'text', text, ...(entities && { entities }) };
    return (await this.call('send', { chat_id: chatId, client_id: randomUUID(), body, ...(reply_to && { reply_to }) })).seq;
  }

  react(chatId, seq, emoji) {
    return this.call('react', { chat_id: chatId, seq, emoji });
  }

  read(chatId, seq) {
    return this.call('mark_read', { chat_id: chatId, seq });
  }
}

async function post(url, body, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  for (;;) {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.json();
    if (response.ok) return answer;
    if (answer.action !== 'retry') throw new Error(`${url}: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, answer.retry_after_ms ?? 200));
  }
}
