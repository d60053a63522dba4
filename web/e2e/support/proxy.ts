// A network between a browser and the server that can go away: a TCP proxy on loopback.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Network {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #gone = false;
  url = '';

  private constructor(port: number) {
    this.#server = createServer((near) => {
      if (this.#gone) return void near.destroy();
      const far = connect(port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => {});
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  }

  static async to(port: number): Promise<Network> {
    const network = new Network(port);
    await new Promise<void>((resolve) => network.#server.listen(0, '127.0.0.1', resolve));
    network.url = `http://127.0.0.1:${(network.#server.address() as AddressInfo).port}`;
    return network;
  }

  /** Breaks every connection and takes no new ones. */
  goAway(): void {
    this.#gone = true;
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  comeBack(): void {
    this.#gone = false;
  }

  async close(): Promise<void> {
    this.goAway();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
