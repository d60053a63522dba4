// Somebody in a terminal: the Rust SDK's example (`cargo build -p chapar-client --example chat`), through a pipe.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { PASSWORD, type Person } from './people';
import { binary } from './server';
import { eventually } from './stage';

export class Terminal {
  said = '';
  readonly folder = mkdtempSync(join(tmpdir(), 'chapar-terminal-'));
  readonly #child;

  constructor(person: Person, url: string) {
    const args = ['--url', url, '--handle', person.handle, '--password', PASSWORD, '--store', join(this.folder, 'store'), '--no-bidi'];
    this.#child = spawn(binary('examples/chat'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
    this.#child.once('error', (error) => (this.said += String(error)));
    onTestFinished(() => {
      this.#child.kill();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  says(words: string | RegExp): Promise<void> {
    return eventually(() => expect(this.said).toMatch(words));
  }

  /** The messages on the screen, as they came: number and what stands beside it. */
  messages(): [seq: number, line: string][] {
    return [...this.said.matchAll(/^#(\d+) (.*)$/gm)].map(([, seq, line]) => [Number(seq), line ?? '']);
  }

  /** Saves the file of a message and gives its bytes. */
  async save(seq: number): Promise<Buffer> {
    const path = join(this.folder, `${seq}.saved`);
    this.type(`/save ${seq} ${path}`);
    await this.says(`saved ${path}`);
    return readFileSync(path);
  }
}
