// A real server with a Postgres of its own, on a free port of this machine.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BINARY = process.env.CHAPAR_BINARY ?? fileURLToPath(new URL("../../../../target/debug/chapar", import.meta.url));

export class Server {
  url = "";
  port = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), "chapar-ts-"));
  #process: ChildProcess | undefined;

  static async start(...more: string[]): Promise<Server> {
    const server = new Server();
    await server.start(0, more);
    return server;
  }

  /** Starts it, on the port that it had before if it ran already. */
  async start(port = this.port, more: string[] = []): Promise<void> {
    // People of a test name each other by id.
    const open = ["--lookups-per-day", "0", "--new-contacts-per-day", "0", "--stranger-chats-per-day", "0"];
    const args = ["--listen", `127.0.0.1:${port}`, "--data-dir", this.#folder, ...open, ...more];
    const child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    let log = "";
    this.url = await new Promise<string>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        log += chunk.toString();
        if (process.env.CHAPAR_TEST_LOG) process.stderr.write(chunk);
        const found = /listening on (http:\/\/\S+)/.exec(log);
        if (found?.[1]) resolve(found[1]);
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", read);
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
    });
    this.port = Number(new URL(this.url).port);
  }

  /** Ends it; `SIGKILL` as a crash. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.kill(signal);
    });
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
