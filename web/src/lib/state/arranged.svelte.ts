import { inFolder, isMuted, type ChatView, type Folder, type FolderChat, type FolderKind } from '@chapar/client';
import { untrack } from 'svelte';
import { clock } from './clock.svelte';
import { session } from './session.svelte';

/** A folder with its id. */
export interface FolderTab {
  readonly id: string;
  readonly folder: Folder;
}

/** How many chats of a place have something unread that is not muted, and whether others have. */
export interface Waiting {
  readonly loud: number;
  readonly quiet: number;
}

const NONE: Waiting = { loud: 0, quiet: 0 };
const alike = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((id, at) => id === b[at]);

/** How the person has arranged the list: what is pinned, muted and put away, and the folders. The same on all devices. */
class Arranged {
  /** Which tab is open: all chats, or a folder. */
  #chosen = $state<string | undefined>();
  /** Chats that were opened since a tab was chosen: reading them takes none of them away from under the finger. */
  #opened = new Set<number>();
  #before: readonly number[] = [];

  readonly #set = $derived.by(() => ({
    pins: new Map(session.items('pin').map(({ chat_id, value }) => [chat_id, value?.order ?? 0])),
    mutes: new Map(session.items('mute').map(({ chat_id, value }) => [chat_id, value])),
    archive: new Set(session.items('archive').map(({ chat_id }) => chat_id)),
    contacts: new Set(session.items('contact').map(({ user_id }) => user_id)),
  }));
  readonly #muted = $derived.by(() => {
    const now = clock.now.getTime();
    return new Set([...this.#set.mutes].filter(([, mute]) => isMuted(mute, now)).map(([id]) => id));
  });
  /** The folders in their order. */
  readonly folders = $derived.by((): readonly FolderTab[] =>
    session
      .items('folder')
      .flatMap(({ id, value }) => (value ? [{ id, folder: value }] : []))
      .sort((a, b) => a.folder.order - b.folder.order || (a.id < b.id ? -1 : 1)),
  );
  /** The folder that is open; none: all chats. */
  readonly open = $derived(this.folders.find(({ id }) => id === this.#chosen));
  /** The chats that were put away, the one with the newest message first. */
  readonly archived = $derived(session.order.filter((id) => this.#set.archive.has(id)));

  /** The chats of the open tab, in their order. */
  readonly order = $derived.by((): readonly number[] => {
    const { pins, archive } = this.#set;
    const folder = this.open?.folder;
    const kept = folder ? this.#inOpen(folder) : session.order.filter((id) => !archive.has(id));
    const pinned = kept.filter((id) => pins.has(id)).sort((a, b) => (pins.get(a) ?? 0) - (pins.get(b) ?? 0));
    const order = pinned.length === 0 ? kept : [...pinned, ...kept.filter((id) => !pins.has(id))];
    // The same list where nothing has moved, so that whoever shows it has nothing to do.
    return alike(this.#before, order) ? this.#before : (this.#before = order);
  });

  readonly #counts = $derived.by(() => {
    void session.unreadMoved;
    const at = new Map<string, { loud: number; quiet: number }>();
    const count = (place: string, loud: boolean): void => {
      const waiting = at.get(place) ?? { ...NONE };
      waiting[loud ? 'loud' : 'quiet'] += 1;
      at.set(place, waiting);
    };
    let messages = 0;
    const { folders } = this;
    const views = session.order.map((id) => untrack(() => session.chat(id)));
    for (const view of views) {
      if (!view || view.unread === 0) continue;
      const chat = this.#facts(view);
      const heard = chat.muted && this.hearsMentions(view.id) ? view.mentions.length : 0;
      const loud = !chat.muted || heard > 0;
      if (loud && !chat.archived) messages += chat.muted ? heard : view.unread;
      count(chat.archived ? 'archive' : 'all', loud);
      for (const { id, folder } of folders) if (inFolder(folder, chat)) count(id, loud);
    }
    return { at, messages };
  });

  /** Messages that wait in chats that are neither muted nor put away. */
  get unread(): number {
    return this.#counts.messages;
  }

  /** What waits in all chats, in the archive, or in a folder. */
  waiting(place: 'all' | 'archive' | (string & {})): Waiting {
    return this.#counts.at.get(place) ?? NONE;
  }

  isPinned(chatId: number): boolean {
    return this.#set.pins.has(chatId);
  }

  isMuted(chatId: number): boolean {
    return this.#muted.has(chatId);
  }

  /** Whether a chat that is muted tells of mentions all the same. */
  hearsMentions(chatId: number): boolean {
    return this.#set.mutes.get(chatId)?.mentions === true;
  }

  isArchived(chatId: number): boolean {
    return this.#set.archive.has(chatId);
  }

  /** The pinned chats with their places, the first one first. */
  get pins(): readonly (readonly [chatId: number, order: number])[] {
    return [...this.#set.pins].sort(([, a], [, b]) => a - b);
  }

  choose(folder: string | undefined): void {
    this.#opened.clear();
    this.#chosen = folder;
  }

  /** A chat is open: it stays in the list as long as the tab does. */
  opens(chatId: number | undefined): void {
    if (chatId !== undefined) this.#opened.add(chatId);
  }

  /** Whether a chat is in a folder. */
  holds(folder: Folder, view: ChatView): boolean {
    return inFolder(folder, this.#facts(view));
  }

  #inOpen(folder: Folder): number[] {
    void session.named;
    // Only what is unread asks to be told of each message.
    const views = folder.unread ? session.chats : session.order.map((id) => untrack(() => session.chat(id)));
    return views.filter((view): view is ChatView => view !== undefined && (this.holds(folder, view) || (folder.unread === true && this.#stays(folder, view)))).map(({ id }) => id);
  }

  #stays(folder: Folder, view: ChatView): boolean {
    return this.#opened.has(view.id) && inFolder(folder, { ...this.#facts(view), unread: true });
  }

  #facts(view: ChatView): FolderChat {
    return { id: view.id, kind: this.#kind(view), unread: view.unread > 0, muted: this.isMuted(view.id), archived: this.isArchived(view.id) };
  }

  #kind(view: ChatView): FolderKind | undefined {
    if (view.info.kind === 'group') return 'groups';
    if (view.info.kind === 'channel') return 'channels';
    if (session.isNotes(view) || view.peer === undefined) return undefined;
    return this.#set.contacts.has(view.peer) ? 'contacts' : 'others';
  }
}

export const arranged = new Arranged();
