// A real chapar server with a Postgres of its own on a free port, and the app in front of it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BINARY = process.env.CHAPAR_BINARY ?? fileURLToPath(new URL('../../../target/debug/chapar', import.meta.url));
const WEB = fileURLToPath(new URL('../..', import.meta.url));

export class Server {
  /** Where the API is. */
  url = '';
  /** Where the app is: the server itself when the app is in its binary, else the build served by vite. */
  app = '';
  #folder = mkdtempSync(join(tmpdir(), 'chapar-web-'));
  #process;
  #preview;
  #port = 0;

  static async start(...more) {
    const server = new Server();
    await server.start(...more);
    return server;
  }

  /** Starts the server, on the port that it had before if it ran already. */
  async start(...more) {
    const args = ['--listen', `127.0.0.1:${this.#port}`, '--data-dir', this.#folder, ...more];
    const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    let log = '';
    this.url = await new Promise((resolve, reject) => {
      const read = (chunk) => {
        log += chunk;
        const found = /listening on (http:\/\/\S+)/.exec(log);
        if (found) resolve(found[1]);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    });
    this.#port = Number(new URL(this.url).port);
    if (this.app === '') await this.#serveApp();
  }

  async stop(signal = 'SIGTERM') {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill(signal);
    });
  }

  async close() {
    await this.#preview?.close();
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serveApp() {
    const answer = await fetch(this.url);
    if (answer.headers.get('content-type')?.startsWith('text/html') && !process.env.CHAPAR_PREVIEW) {
      this.app = this.url;
      return;
    }
    process.env.CHAPAR_URL = this.url;
    const { preview } = await import('vite');
    this.#preview = await preview({ root: WEB, preview: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
    this.app = `http://127.0.0.1:${this.#preview.httpServer.address().port}`;
  }
}
