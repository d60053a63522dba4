// A folder with a build of the app in front of a server: another build than the one in its binary, or one after the other.
import { readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join, normalize } from 'node:path';

const KINDS: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
  svg: 'image/svg+xml',
  png: 'image/png',
  woff2: 'font/woff2',
};
/** The server's own: what is neither a file of the app nor a place in it. */
const SERVER = /^\/(api\/|files(\/|$)|ws$|metrics$|healthz$|readyz$)/;

/** Which build answers, and which policy goes with its page. */
export class Front {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  url = '';

  private constructor(
    /** The folder that answers for a path: a test may change it between two requests. */
    public dist: (path: string) => string,
    readonly port: () => number,
  ) {
    this.#server = createServer((asked, answer) => this.#answer(asked, answer));
    this.#server.on('upgrade', (asked: IncomingMessage, near: Socket, head: Buffer) => {
      const far = connect(this.port(), '127.0.0.1', () => {
        const lines = [`${asked.method} ${asked.url} HTTP/1.1`];
        for (let at = 0; at < asked.rawHeaders.length; at += 2) lines.push(`${asked.rawHeaders[at]}: ${asked.rawHeaders[at + 1]}`);
        far.write(`${lines.join('\r\n')}\r\n\r\n`);
        far.write(head);
        near.pipe(far).pipe(near);
      });
      for (const [one, other] of [[near, far], [far, near]] as const) {
        this.#sockets.add(one);
        one.on('error', () => {});
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
  }

  static async before(port: () => number, dist: string | ((path: string) => string)): Promise<Front> {
    const front = new Front(typeof dist === 'string' ? () => dist : dist, port);
    await new Promise<void>((resolve) => front.#server.listen(0, '127.0.0.1', resolve));
    front.url = `http://127.0.0.1:${(front.#server.address() as AddressInfo).port}`;
    return front;
  }

  #answer(asked: IncomingMessage, answer: ServerResponse): void {
    const path = new URL(asked.url ?? '/', 'http://front').pathname;
    if (SERVER.test(path)) return this.#forward(asked, answer);
    const folder = this.dist(path);
    const file = path.includes('.') ? normalize(path) : '/index.html';
    try {
      const content = readFileSync(join(folder, file));
      answer.setHeader('Content-Type', KINDS[file.split('.').pop() ?? ''] ?? 'application/octet-stream');
      answer.setHeader('Cache-Control', file.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
      answer.end(content);
    } catch {
      answer.statusCode = 404;
      answer.end();
    }
  }

  #forward(asked: IncomingMessage, answer: ServerResponse): void {
    const { method, url: path, headers } = asked;
    const far = request({ host: '127.0.0.1', port: this.port(), method, path, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers);
      from.pipe(answer);
    });
    far.on('error', () => {
      if (!answer.headersSent) answer.statusCode = 502;
      answer.end();
    });
    asked.pipe(far);
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
