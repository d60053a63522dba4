// The WebSocket, as little of it as the session needs.

import { ChaparError } from "./error.js";

/** What the SDK uses of a WebSocket: the browser's, Node 22's, and that of the package `ws` have it. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** A WebSocket constructor. */
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** How long opening may take, in milliseconds. */
const OPENING = 15_000;
/** The subprotocol that is offered. */
const SUBPROTOCOL = "chapar.v1";

/** What a connection tells. After `onLost` it tells nothing more. */
export interface SocketHandlers {
  onOpen(): void;
  onFrame(text: string): void;
  onLost(code: number | undefined, message: string): void;
}

/** One connection. */
export class Connection {
  #socket: SocketLike | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(make: SocketConstructor | undefined, url: string, handlers: SocketHandlers) {
    const Socket = make ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
    if (!Socket) throw new ChaparError("no_websocket", "this platform has no WebSocket: pass a constructor in the options");
    const lost = (code: number | undefined, message: string): void => {
      if (this.#socket !== socket) return;
      this.#forget();
      handlers.onLost(code, message);
    };
    const socket = new Socket(url, [SUBPROTOCOL]);
    this.#socket = socket;
    let opened = false;
    this.#timer = setTimeout(() => {
      const late = this.#socket;
      lost(undefined, "the connection did not open in time");
      late?.close();
    }, OPENING);
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      clearTimeout(this.#timer);
      opened = true;
      handlers.onOpen();
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (this.#socket === socket && typeof data === "string") handlers.onFrame(data);
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      lost(opened ? code : undefined, reason || (opened ? `closed with ${code}` : "the connection could not be opened"));
    };
    // Says nothing that `close`, which follows, does not say.
    socket.onerror = () => {};
  }

  /** Writes a frame. What a socket cannot take any more is lost with it. */
  write(text: string): void {
    if (this.#socket?.readyState === 1) this.#socket.send(text);
  }

  /** Closes; nothing more is told. */
  close(code: number): void {
    const socket = this.#socket;
    this.#forget();
    // Browsers let applications send 1000 and 3000 to 4999 only.
    socket?.close(code === 1000 ? 1000 : 4000);
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#socket = undefined;
  }
}
