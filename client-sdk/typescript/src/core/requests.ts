// Requests under way and waiting (R18).

import type { ChatId, Version } from "../protocol.js";

/** What an answer does to the local state besides reaching its caller: it is a snapshot, or a page of a chat. */
export type Effect = "none" | "snapshot" | { page: ChatId };

/** A request of the application. It survives reconnections until its time is over: every command may be sent twice. */
export interface AppRequest {
  ticket: number;
  method: string;
  params: unknown;
  effect: Effect;
  until: number;
  /** Whether it was written to the present connection. */
  written: boolean;
}

/** Who awaits the answer to a request under way. */
export type Awaited =
  | { for: "hello" }
  | { for: "ping" }
  | { for: "user_difference" }
  | { for: "difference"; chats: [ChatId, Version][] }
  | { for: "send"; clientId: string }
  | { for: "watch" }
  | { for: "app"; request: AppRequest };

/** All requests of a session. */
export class Requests {
  #lastId = 0;
  #underWay = new Map<number, Awaited>();
  #waiting: AppRequest[] = [];

  /** Notes a request as under way and gives it an id, unique in the whole session. */
  begin(awaited: Awaited): number {
    this.#lastId += 1;
    this.#underWay.set(this.#lastId, awaited);
    return this.#lastId;
  }

  /** Takes the request that an answer belongs to; nothing when nobody awaits it any more. */
  end(id: number): Awaited | undefined {
    const awaited = this.#underWay.get(id);
    this.#underWay.delete(id);
    return awaited;
  }

  /** How many are under way. */
  get count(): number {
    return this.#underWay.size;
  }

  /** How many of a kind are under way. */
  countOf(kind: Awaited["for"]): number {
    return [...this.#underWay.values()].filter((it) => it.for === kind).length;
  }

  add(request: AppRequest): void {
    this.#waiting.push(request);
  }

  /** Takes the next request of the application that waits to be written. */
  next(): AppRequest | undefined {
    return this.#waiting.shift();
  }

  /** Drops a request that was not written yet; the answer to one that was reaches nobody. */
  abandon(ticket: number): void {
    this.#waiting = this.#waiting.filter((it) => it.ticket !== ticket);
  }

  /** Takes everything under way and waiting whose time is over. */
  overdue(now: number): AppRequest[] {
    const late: AppRequest[] = [];
    for (const [id, it] of this.#underWay) {
      if (it.for !== "app" || it.request.until > now) continue;
      late.push(it.request);
      this.#underWay.delete(id);
    }
    late.push(...this.#waiting.filter((it) => it.until <= now));
    this.#waiting = this.#waiting.filter((it) => it.until > now);
    return late;
  }

  /**
   * The connection is gone: requests of the application wait again, in their first order; the others are forgotten,
   * because the next welcome makes them anew.
   */
  lost(): void {
    const again: AppRequest[] = [];
    for (const it of this.#underWay.values()) if (it.for === "app") again.push({ ...it.request, written: false });
    this.#underWay.clear();
    this.#waiting.unshift(...again);
  }

  /** Takes all requests of the application. */
  drain(): AppRequest[] {
    this.lost();
    return this.#waiting.splice(0);
  }

  /** When the first request is overdue. */
  deadline(): number {
    const under = [...this.#underWay.values()].map((it) => (it.for === "app" ? it.request.until : Infinity));
    return Math.min(...under, ...this.#waiting.map((it) => it.until), Infinity);
  }
}
