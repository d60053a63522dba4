// A WebSocket that welcomes and stores what is sent, for tests that need no server.

export const SENT = { seq: 1, version: 1, sent_at: "2026-01-01T00:00:00Z" };

export class Welcoming {
  /** What was asked, by all sockets. */
  static asked: { method: string; params: Record<string, unknown> }[] = [];
  /** Answers to methods; without one the request stays without. */
  static answers: Record<string, (params: Record<string, unknown>) => unknown> = {};
  readyState = 1;
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: unknown) => void) | null = null;
  onclose = null;
  onerror = null;

  static reset(): void {
    Welcoming.asked = [];
    Welcoming.answers = {
      hello: () => ({
        user: { id: 1, handle: "a", name: "a" }, device_id: 1, heartbeat_seconds: 30,
        sync: { epochs: [["people", "1"], ["chats", "1"]], user: { from: 0, version: 1 }, chats: [] },
      }),
    };
  }

  constructor() {
    setTimeout(() => this.onopen?.({}), 0);
  }

  send(text: string): void {
    const { id, method, params } = JSON.parse(text) as { id: number; method: string; params: Record<string, unknown> };
    Welcoming.asked.push({ method, params });
    const answer = Welcoming.answers[method];
    if (answer) setTimeout(() => this.readyState === 1 && this.onmessage?.({ data: JSON.stringify({ id, ok: answer(params) }) }), 0);
  }

  close(): void {
    this.readyState = 3;
  }
}
