// A real chapar server with a Postgres of its own, on a free port of this machine; the app is in its binary.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Front } from './front';

const TARGET = fileURLToPath(new URL('../../../target/debug', import.meta.url));

/** A program of the workspace, as the build has left it. */
export const binary = (name: string): string => process.env[`${name.toUpperCase().replaceAll('-', '_')}_BINARY`] ?? join(TARGET, name);

export class Server {
  url = '';
  readonly folder = mkdtempSync(join(tmpdir(), 'chapar-web-'));
  #process: ChildProcess | undefined;
  #port = 0;
  /** Set by `CHAPAR_WEB_DIST`: that build of the app instead of the one in the binary, which needs no new binary then. */
  #front: Front | undefined;
  #flags: string[];

  private constructor(flags: string[]) {
    this.#flags = flags;
  }

  static async start(...flags: string[]): Promise<Server> {
    const server = new Server(flags);
    await server.start();
    const page = await fetch(server.url);
    if (!page.headers.get('content-type')?.startsWith('text/html')) {
      await server.close();
      throw new Error('the binary was built without the web app: `npm run build` in web/, then `cargo build -p chapar-server`');
    }
    return server;
  }

  /** Starts it, on the port that it had before if it ran already. */
  async start(): Promise<void> {
    const args = ['--listen', `127.0.0.1:${this.#port}`, '--data-dir', this.folder, ...this.#flags];
    const child = spawn(binary('chapar'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    let log = '';
    this.url = await new Promise<string>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        if (this.url !== '' && child.exitCode === null && log.length > 1_000_000) return;
        log += chunk.toString();
        const found = /listening on (http:\/\/\S+)/.exec(log);
        if (found?.[1]) resolve(found[1]);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    });
    this.#port = Number(new URL(this.url).port);
    const dist = process.env.CHAPAR_WEB_DIST;
    if (dist) {
      this.#front ??= await Front.before(() => this.#port, dist);
      this.url = this.#front.url;
    }
  }

  /** Where the app is: in front of the server, if something is. */
  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Ends it; `SIGKILL` as a crash. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  }

  /** Stops the process without ending it: nothing is answered or relayed until it is thawed. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.#front?.close();
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
