// People and what they say, over the HTTP API: what was there before a browser looks.
import { randomBytes, randomUUID } from 'node:crypto';

export const PASSWORD = 'a long password';
/** Handles of one run are told from those of another by this. */
export const SEED = process.env.E2E_SEED ?? randomBytes(3).toString('hex');
let count = 0;

/** A handle that nobody else has. */
export const handle = (name: string): string => `${name}_${SEED}_${process.pid}_${++count}`.slice(0, 32);

type Json = Record<string, unknown>;
interface Entity {
  offset: number;
  length: number;
  type: string;
  language?: string;
  url?: string;
  user_id?: number;
}

/** Somebody with an account. */
export class Person {
  private constructor(
    readonly url: string,
    readonly token: string,
    readonly id: number,
    readonly handle: string,
    readonly name: string,
  ) {}

  static async register(url: string, name: string, wanted = handle('person')): Promise<Person> {
    const account = { handle: wanted, name, password: PASSWORD, device: 'API' };
    const made = (await post(`${url}/api/v1/register`, account)) as { token: string; user: { id: number } };
    return new Person(url, made.token, made.user.id, wanted, name);
  }

  /** Any command of the protocol. */
  call<T = Json>(method: string, params: Json): Promise<T> {
    return post(`${this.url}/api/v1/call/${method}`, params, this.token) as Promise<T>;
  }

  /** The chat of two people who both want it: they ring at each other's, and see each other. */
  async direct(other: Person): Promise<number> {
    await this.finds(other);
    const chat = (await this.call<{ chat: { id: number } }>('open_direct', { user_id: other.id })).chat.id;
    await other.call('open_direct', { user_id: this.id });
    return chat;
  }

  /** Whom nobody has found by handle, an id does not reach. */
  async finds(other: Person): Promise<void> {
    await this.call('resolve', { handle: other.handle });
  }

  async create(kind: 'group' | 'channel', title: string, members: Person[], publicHandle?: string): Promise<number> {
    for (const member of members) await this.finds(member);
    const made = await this.call<{ chat: { id: number } }>('create_chat', {
      client_id: randomUUID(),
      kind,
      title,
      members: members.map((member) => member.id),
      ...(publicHandle && { handle: publicHandle }),
    });
    return made.chat.id;
  }

  /** Sends a text; returns its seq. */
  async say(chatId: number, text: string, more: { entities?: Entity[]; reply_to?: number } = {}): Promise<number> {
    const { entities, reply_to } = more;
    const body = { kind: 'text', text, ...(entities && { entities }) };
    const params = { chat_id: chatId, client_id: randomUUID(), body, ...(reply_to && { reply_to }) };
    return (await this.call<{ seq: number }>('send', params)).seq;
  }

  /** Brings a file up and waits until messages can name it. */
  async upload(kind: string, { name, mimeType, buffer }: { name: string; mimeType: string; buffer: Buffer }): Promise<string> {
    const of = (text: string): string => Buffer.from(text).toString('base64');
    const made = await fetch(`${this.url}/files`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${this.token}`,
        'Tus-Resumable': '1.0.0',
        'Upload-Length': String(buffer.length),
        'Upload-Metadata': `kind ${of(kind)},filename ${of(name)},filetype ${of(mimeType)}`,
        'Content-Type': 'application/offset+octet-stream',
      },
      body: new Uint8Array(buffer),
    });
    const id = made.headers.get('location')?.split('/').at(-1);
    if (!made.ok || !id) throw new Error(`${kind}: ${made.status} ${await made.text()}`);
    for (;;) {
      const { state } = await this.call<{ state: string }>('get_file', { file_id: id });
      if (state === 'ready') return id;
      if (state === 'refused' || state === 'held') throw new Error(`${kind} ${name}: ${state}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Sends a body of any kind; returns its seq. */
  async give(chatId: number, body: Json): Promise<number> {
    return (await this.call<{ seq: number }>('send', { chat_id: chatId, client_id: randomUUID(), body })).seq;
  }

  react(chatId: number, seq: number, emoji: string): Promise<unknown> {
    return this.call('react', { chat_id: chatId, seq, emoji });
  }

  read(chatId: number, seq: number): Promise<unknown> {
    return this.call('mark_read', { chat_id: chatId, seq });
  }
}

async function post(url: string, body: Json, token?: string): Promise<unknown> {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  for (;;) {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = (await response.json()) as { action?: string; retry_after_ms?: number };
    if (response.ok) return answer;
    if (answer.action !== 'retry') throw new Error(`${url}: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, answer.retry_after_ms ?? 200));
  }
}
