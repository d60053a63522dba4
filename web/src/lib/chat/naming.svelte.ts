import type { ChatView } from '@chapar/client';
import { fold } from '@chapar/client/text';
import { session } from '../state/session.svelte';
import { addMembers, furtherMembers } from './further-members.svelte';
import { membersOf } from './mentions';

/** So many are offered at once. */
const OFFERED = 8;
/** Members of a large group are asked for by pages, so many of them. */
const PAGES = 5;
/** The SDK holds so many by itself. */
const HELD = 200;

/** Somebody who may be meant. */
export interface Named {
  id: number;
  name: string;
  handle: string;
}

/** Whom an `@` that is being typed may mean, and which of them is chosen by the keys. */
export class Naming {
  readonly #chat: () => ChatView;
  /** What was typed behind the `@`; nothing while nobody is named. */
  #query = $state<string | undefined>();
  #at = $state(0);
  /** Closed by the person, until something else is typed. */
  #closed = $state<string | undefined>();
  #asked = false;

  readonly found = $derived.by((): readonly Named[] => {
    if (this.#query === undefined || this.#query === this.#closed) return [];
    const wanted = fold(this.#query);
    const all = membersOf(this.#chat().id).flatMap((id): Named[] => {
      const user = id === session.me?.id ? undefined : session.user(id);
      return user ? [{ id, name: user.name, handle: user.handle }] : [];
    });
    const fits = ({ name, handle }: Named): boolean => handle.startsWith(wanted) || fold(name).split(/\s+/).some((word) => word.startsWith(wanted)) || fold(name).replace(/\s+/g, '').startsWith(wanted);
    return all.filter((each) => wanted === '' || fits(each)).slice(0, OFFERED);
  });

  constructor(chat: () => ChatView) {
    this.#chat = chat;
  }

  /** Which one Enter takes. */
  get chosen(): number {
    return Math.min(this.#at, this.found.length - 1);
  }

  seek(query: string | undefined): void {
    if (query === this.#query) return;
    this.#query = query;
    this.#at = 0;
    if (query !== this.#closed) this.#closed = undefined;
    if (query !== undefined) void this.#ask();
  }

  /** Whether the keys are for the list, and what Enter has taken. */
  key(key: string): Named | boolean {
    const { length } = this.found;
    if (length === 0) return false;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      this.#at = (this.chosen + (key === 'ArrowDown' ? 1 : length - 1)) % length;
      return true;
    }
    if (key === 'Enter' || key === 'Tab') return this.found[this.chosen] ?? false;
    if (key !== 'Escape') return false;
    this.#closed = this.#query;
    return true;
  }

  /** Those of a large group of whom nothing is known yet. */
  async #ask(): Promise<void> {
    const { id } = this.#chat();
    if (this.#asked || furtherMembers(id).length > 0 || session.members(id).length < HELD) return;
    this.#asked = true;
    try {
      let after = session.members(id).at(-1)?.user_id;
      for (let page = 0; page < PAGES; page++) {
        const { members, more } = await session.client.getMembers(id, after);
        addMembers(id, members.map((member) => member.user_id));
        after = members.at(-1)?.user_id;
        if (!more) return;
      }
    } catch {
      this.#asked = false;
    }
  }
}
