// A bad network for any client: the impairment proxy of the load test (`cargo build -p chapar-loadtest`).
import { spawn, type ChildProcess } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { binary } from './server';

export class Lossy {
  private constructor(
    readonly url: string,
    readonly process: ChildProcess,
  ) {}

  /** Between somebody and the server at a port; ends with the test. */
  static async to(port: number, seed: number, flags: string[] = ['--loss', '0.02', '--delay', '50', '--jitter', '20', '--rate', '1500000']): Promise<Lossy> {
    const child = spawn(binary('chapar-loadtest'), ['network', '--to', `127.0.0.1:${port}`, '--seed', String(seed), ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void child.stdin.end());
    const address = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the network ended with ${code}: cargo build -p chapar-loadtest`)));
      child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString().trim()));
    });
    return new Lossy(`http://${address}`, child);
  }

  /** Breaks all connections and takes no new ones. */
  cut(): void {
    this.process.stdin?.write('cut\n');
  }

  mend(): void {
    this.process.stdin?.write('mend\n');
  }
}
