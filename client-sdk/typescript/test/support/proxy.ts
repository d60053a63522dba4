// A TCP proxy that can cut what goes through it.

import { createServer, connect, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #blocked = false;
  #bytesUntilCut = Infinity;
  url = "";

  private constructor(target: number) {
    this.#server = createServer((near) => {
      if (this.#blocked) return void near.destroy();
      const far = connect(target, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.#sockets.add(from);
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.on("data", (chunk) => {
          this.#bytesUntilCut -= chunk.length;
          if (this.#bytesUntilCut <= 0) return this.cut();
          to.write(chunk);
        });
      }
    });
  }

  static async to(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    proxy.url = `http://127.0.0.1:${(proxy.#server.address() as AddressInfo).port}`;
    return proxy;
  }

  /** Breaks every connection, without a word. */
  cut(): void {
    this.#bytesUntilCut = Infinity;
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  /** Breaks every connection when so many more bytes have gone through. */
  cutAfter(bytes: number): void {
    this.#bytesUntilCut = bytes;
  }

  /** Takes no new connections and breaks the old ones. */
  block(): void {
    this.#blocked = true;
    this.cut();
  }

  open(): void {
    this.#blocked = false;
  }

  async close(): Promise<void> {
    this.block();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
