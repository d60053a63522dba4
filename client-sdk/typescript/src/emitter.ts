import type { ClientEvent } from "./core/event.js";

/** The event with this name. */
export type EventOf<T extends ClientEvent["type"]> = Extract<ClientEvent, { type: T }>;

/** Events that wait for a slow reader of an iterator at most. */
const QUEUE = 1_024;

type Handler = (event: ClientEvent) => void;

/** Hands events on, in their order, also those that a handler causes. */
export class Emitter {
  readonly #handlers = new Map<string, Set<Handler>>();
  #queue: ClientEvent[] = [];
  #emitting = false;

  on(type: string, handler: Handler): () => void {
    let handlers = this.#handlers.get(type);
    if (!handlers) this.#handlers.set(type, (handlers = new Set()));
    // A function of its own, so that the same handler can be registered twice.
    const own: Handler = (event) => handler(event);
    handlers.add(own);
    return () => handlers.delete(own);
  }

  emit(events: readonly ClientEvent[]): void {
    this.#queue.push(...events);
    if (this.#emitting) return;
    this.#emitting = true;
    try {
      for (let event = this.#queue.shift(); event; event = this.#queue.shift()) {
        for (const type of [event.type, "*"]) {
          for (const handler of [...(this.#handlers.get(type) ?? [])]) {
            try {
              handler(event);
            } catch (error) {
              // A fault of the application, which must not stop the others from hearing.
              queueMicrotask(() => {
                throw error;
              });
            }
          }
        }
      }
    } finally {
      this.#emitting = false;
    }
  }

  /** Events from now on. A reader that is more than 1,024 behind gets `lagged` and reads the local state again. */
  iterate(signal?: AbortSignal): AsyncGenerator<ClientEvent | { type: "lagged"; count: number }> {
    // Listening begins here, and not when the first event is asked for.
    const waiting: ClientEvent[] = [];
    let dropped = 0;
    let ended = signal?.aborted ?? false;
    let wake: (() => void) | undefined;
    const off = this.on("*", (event) => {
      if (event.type === "connection" && event.connection.state === "stopped" && event.connection.stop.reason === "closed") ended = true;
      if (waiting.length < QUEUE) waiting.push(event);
      else dropped += 1;
      wake?.();
    });
    const abort = (): void => {
      ended = true;
      wake?.();
    };
    signal?.addEventListener("abort", abort);
    const close = (): void => {
      ended = true;
      waiting.length = dropped = 0;
      off();
      signal?.removeEventListener("abort", abort);
      wake?.();
    };
    async function* events(): AsyncGenerator<ClientEvent | { type: "lagged"; count: number }> {
      try {
        for (;;) {
          const event = waiting.shift();
          if (event) {
            yield event;
          } else if (dropped) {
            const count = dropped;
            dropped = 0;
            yield { type: "lagged", count };
          } else if (ended) {
            return;
          } else {
            await new Promise<void>((resolve) => (wake = resolve));
          }
        }
      } finally {
        close();
      }
    }
    const generator = events();
    // One that was never begun would not run its end.
    const end = generator.return.bind(generator);
    generator.return = (value) => (close(), end(value));
    return generator;
  }
}
