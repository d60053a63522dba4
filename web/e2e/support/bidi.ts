// A browser that speaks WebDriver BiDi by itself, as Firefox does: no driver beside it, and no build made for tests.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

interface Reply {
  id?: number;
  type?: string;
  result?: unknown;
  error?: string;
  message?: string;
}

/** The commands of W3C's WebDriver BiDi, over a WebSocket (RFC 6455) with text frames alone. */
export class Bidi {
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #text: Buffer[] = [];
  #lastId = 0;
  #waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser is gone'));
    });
  }

  static async open(address: string): Promise<Bidi> {
    const { hostname, port, pathname, host } = new URL(address);
    const socket = connect(Number(port), hostname);
    const key = randomBytes(16).toString('base64');
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      let head = '';
      const read = (bytes: Buffer): void => {
        head += bytes.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        socket.off('data', read);
        if (head.startsWith('HTTP/1.1 101')) resolve();
        else reject(new Error(head.split('\r\n')[0]));
      };
      socket.on('data', read);
    });
    return new Bidi(socket);
  }

  ask<T = unknown>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#lastId;
    const answer = new Promise<T>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#write(1, Buffer.from(JSON.stringify({ id, method, params })));
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #write(kind: number, payload: Buffer): void {
    const head = [0x80 | kind];
    if (payload.length < 126) head.push(0x80 | payload.length);
    else if (payload.length < 65_536) head.push(0x80 | 126, payload.length >> 8, payload.length & 255);
    else head.push(0x80 | 127, 0, 0, 0, 0, payload.length >>> 24, (payload.length >> 16) & 255, (payload.length >> 8) & 255, payload.length & 255);
    const mask = randomBytes(4);
    this.#socket.write(Buffer.concat([Buffer.from(head), mask, payload.map((byte, at) => byte ^ mask[at % 4]!)]));
  }

  #take(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      const at = this.#buffer;
      if (at.length < 2) return;
      let [length, from] = [at[1]! & 127, 2];
      if (length === 126) [length, from] = [at.length < 4 ? Infinity : at.readUInt16BE(2), 4];
      else if (length === 127) [length, from] = [at.length < 10 ? Infinity : Number(at.readBigUInt64BE(2)), 10];
      if (at.length < from + length) return;
      const [kind, last] = [at[0]! & 15, (at[0]! & 128) !== 0];
      const payload = at.subarray(from, from + length);
      this.#buffer = at.subarray(from + length);
      if (kind === 9) this.#write(10, payload);
      if (kind > 2) continue;
      this.#text.push(payload);
      if (last) this.#frame(JSON.parse(Buffer.concat(this.#text.splice(0)).toString()) as Reply);
    }
  }

  #frame({ id, type, result, error, message }: Reply): void {
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (!waiting || id === undefined) return;
    this.#waiting.delete(id);
    if (type === 'error') waiting.reject(new Error(`${error}: ${message}`));
    else waiting.resolve(result as never);
  }
}
