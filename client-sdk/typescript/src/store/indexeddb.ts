// The local state in IndexedDB. One transaction for each save: cursors are never ahead of their rows.
//
// | store | key | value |
// |---|---|---|
// | kv | name | `me`, `token`, `epochs`, `own` (version, missed calls), `pref:…` |
// | own | chat | MyChat |
// | items | kind and key | what the user has set, with its version |
// | chats | chat | ChatHead |
// | people | chat | members and read marks |
// | messages | chat, seq | Message: the window and what was read of older ones |
// | reacted | chat, seq | the own reaction |
// | users | user | User |
// | outbox | client id | OutboxItem |
// | files | client id, index | the bytes of its files |

import { fileKey } from "../core/attached.js";
import type { KeptItem } from "../core/items.js";
import type { ChatHead, ChatPatch, OutboxItem, Patch } from "../core/patch.js";
import type { ChatId, Epoch, Member, Message, MyChat, Seq, User, UserId, Version } from "../protocol.js";
import type { CachedRows, Saved, Store } from "./store.js";

const STORES = ["kv", "own", "items", "chats", "people", "messages", "reacted", "users", "outbox", "files"] as const;
/** How long opening may take, in milliseconds: some browsers never answer. */
const OPENING = 5_000;
/** Messages of one chat that stay cached. */
const CACHED = 3_000;
/** So many more may come before it is looked whether there are too many: to count costs as much as to write. */
const SLACK = 250;
/** Users that stay known from one start to the next. Whoever is shown and not known is asked for. */
const USERS = 5_000;
/** Chats whose last messages are loaded at the start; of the others only the last one. */
const READY_CHATS = 30;
/** Messages loaded of each of those. */
const READY_ROWS = 50;

interface People {
  members: [UserId, Member][];
  reads: [UserId, Seq][];
}

interface PeopleChange {
  replace: boolean;
  members: Map<UserId, Member | null>;
  reads: Map<UserId, Seq>;
}

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"));
  });

const rowsOf = (chatId: ChatId, from: Seq = 0, to: Seq = Number.MAX_SAFE_INTEGER): IDBKeyRange =>
  IDBKeyRange.bound([chatId, from], [chatId, to], false, true);

export class IndexedDbStore implements Store {
  readonly persistent = true;
  readonly #db: IDBDatabase;
  /** Messages written since the chat was last trimmed; of a chat that is not here nothing is known. */
  readonly #since = new Map<ChatId, number>();

  private constructor(db: IDBDatabase) {
    this.#db = db;
    // Another tab wants to delete or change the database: it must not wait for us.
    db.onversionchange = () => db.close();
  }

  /** Opens a database of this name. Rejects where there is none, or it is blocked (private windows). */
  static async open(name: string): Promise<IndexedDbStore> {
    const request = indexedDB.open(`chapar:${name}`, 3);
    request.onupgradeneeded = (event) => {
      const known = request.result.objectStoreNames;
      // A later version adds its own, and finds those of the versions before.
      for (const store of STORES) if (!known.contains(store)) request.result.createObjectStore(store);
      // Before, nothing was kept of what the user sets: it comes with everything else, from the start.
      if (event?.oldVersion === 1) request.transaction?.objectStore("kv").delete("own");
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("IndexedDB does not answer")), OPENING);
    });
    const opening = done(request);
    try {
      return new IndexedDbStore(await Promise.race([opening, late]));
    } catch (error) {
      // One that opens later must not stand in the way of whoever wants to change it.
      opening.then((db) => db.close(), () => {});
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async load(): Promise<Saved> {
    // Not the files: they may be as large as the disk.
    const tx = this.#db.transaction(STORES.filter((it) => it !== "files"));
    const all = <T>(store: string): Promise<T[]> => done(tx.objectStore(store).getAll() as IDBRequest<T[]>);
    const kv = tx.objectStore("kv");
    const [keys, values, own, items, heads, peopleOf, people, users, outbox] = await Promise.all([
      done(kv.getAllKeys()),
      done(kv.getAll()),
      all<MyChat>("own"),
      all<KeptItem>("items"),
      all<ChatHead>("chats"),
      done(tx.objectStore("people").getAllKeys()),
      all<People>("people"),
      done(tx.objectStore("users").getAll(undefined, USERS) as IDBRequest<User[]>),
      all<OutboxItem>("outbox"),
    ]);
    const value = new Map(keys.map((key, index) => [String(key), values[index]]));
    const peopleBy = new Map(peopleOf.map((key, index) => [key as number, people[index]]));
    const chats = await this.#loadRows(tx, heads, peopleBy);
    if (users.length === USERS) await this.#forgetUsers(users.at(-1)?.id ?? 0);
    const preferences: [string, unknown][] = [];
    for (const [key, it] of value) if (key.startsWith("pref:")) preferences.push([key.slice(5), it]);
    const cursor = value.get("own") as { version: Version; missedCalls: number } | undefined;
    const epochs = value.get("epochs") as Epoch[] | undefined;
    return {
      ...(value.has("me") && { me: value.get("me") as User }),
      ...(value.has("token") && { token: value.get("token") as string }),
      ...(epochs !== undefined && cursor && { epochs, own: { ...cursor, chats: own, items } }),
      chats,
      outbox,
      users,
      preferences,
    };
  }

  async putOutbox(items: OutboxItem[]): Promise<void> {
    await this.#write(["outbox"], (tx) => {
      for (const item of items) tx.objectStore("outbox").put(item, item.client_id);
      tx.commit?.();
    });
  }

  async removeOutbox(clientIds: string[]): Promise<void> {
    await this.#write(["outbox", "files"], (tx) => {
      for (const clientId of clientIds) {
        tx.objectStore("outbox").delete(clientId);
        tx.objectStore("files").delete(IDBKeyRange.bound(`${clientId}/`, `${clientId}0`, false, true));
      }
    });
  }

  async putFiles(item: OutboxItem, files: Blob[]): Promise<void> {
    await this.#write(["outbox", "files"], (tx) => {
      tx.objectStore("outbox").put(item, item.client_id);
      for (const [index, file] of files.entries()) tx.objectStore("files").put(file, fileKey(item.client_id, index));
    });
  }

  async file(clientId: string, index: number): Promise<Blob | undefined> {
    return done(this.#db.transaction("files").objectStore("files").get(fileKey(clientId, index)) as IDBRequest<Blob | undefined>);
  }

  async save(patches: Patch[], users: User[]): Promise<void> {
    const stores = ["kv", "own", "items", "chats", "people", "messages", "reacted", "users"];
    await this.#write(stores, (tx) => {
      const people = new Map<ChatId, PeopleChange>();
      for (const patch of patches) put(tx, patch, people);
      for (const [chatId, change] of people) putPeople(tx.objectStore("people"), chatId, change);
      for (const user of users) tx.objectStore("users").put(user, user.id);
      for (const chat of patches.flatMap((patch) => patch.chats ?? [])) this.#bound(tx, chat);
    });
  }

  async setToken(token: string | undefined): Promise<void> {
    await this.#setValue("token", token);
  }

  async setPreference(key: string, value: unknown): Promise<void> {
    await this.#setValue(`pref:${key}`, value);
  }

  async rows(chatId: ChatId, from: Seq, to: Seq): Promise<CachedRows> {
    const tx = this.#db.transaction(["messages", "reacted"]);
    return readRows(tx, rowsOf(chatId, from, to));
  }

  async cacheRows(chatId: ChatId, rows: CachedRows): Promise<void> {
    await this.#write(["messages", "reacted"], (tx) => {
      const messages = tx.objectStore("messages");
      const reacted = new Map(rows.reacted);
      for (const message of rows.messages) {
        const key = [chatId, message.seq];
        const known = messages.get(key);
        known.onsuccess = () => {
          const it = known.result as Message | undefined;
          // What is held may be newer than the page.
          if (it && it.version >= message.version) return;
          messages.put(message, key);
          const emoji = reacted.get(message.seq);
          if (!it && emoji !== undefined) tx.objectStore("reacted").put(emoji, key);
        };
      }
      this.#since.set(chatId, 0);
      trim(tx, chatId);
    });
  }

  /** Keeps a chat within its bound also when nobody scrolls back in it. */
  #bound(tx: IDBTransaction, { head, messages = [], older = [] }: ChatPatch): void {
    const since = (this.#since.get(head.info.id) ?? SLACK) + messages.length + older.length;
    this.#since.set(head.info.id, since > SLACK ? 0 : since);
    if (since > SLACK) trim(tx, head.info.id);
  }

  async clear(): Promise<void> {
    await this.#write([...STORES], (tx) => {
      for (const store of STORES) tx.objectStore(store).clear();
    });
  }

  close(): void {
    this.#db.close();
  }

  /** More users are known than are of use: the rest is asked for again when somebody sees them. */
  async #forgetUsers(above: UserId): Promise<void> {
    await this.#write(["users"], (tx) => tx.objectStore("users").delete(IDBKeyRange.lowerBound(above, true)));
  }

  async #setValue(key: string, value: unknown): Promise<void> {
    await this.#write(["kv"], (tx) => {
      if (value === undefined) tx.objectStore("kv").delete(key);
      else tx.objectStore("kv").put(value, key);
      // Said and not waited for: a page that goes now would take the transaction with it.
      tx.commit?.();
    });
  }

  #write(stores: string[], work: (tx: IDBTransaction) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const tx = this.#db.transaction(stores, "readwrite");
      tx.oncomplete = () => resolve();
      tx.onabort = () => reject(tx.error ?? new Error("IndexedDB gave up"));
      work(tx);
    });
  }

  /** The chats with some of their last messages: the others are in the cache, from where a timeline reads them. */
  async #loadRows(tx: IDBTransaction, heads: ChatHead[], people: Map<number, People | undefined>): Promise<ChatPatch[]> {
    const store = tx.objectStore("messages");
    const last = await Promise.all(
      heads.map((head) => done(store.get([head.info.id, head.last_seq]) as IDBRequest<Message | undefined>)),
    );
    const moment = new Map(heads.map((head, index) => [head, last[index]?.sent_at ?? head.info.created_at]));
    const ready = [...heads].sort((a, b) => ((moment.get(a) ?? "") < (moment.get(b) ?? "") ? 1 : -1)).slice(0, READY_CHATS);
    return Promise.all(
      heads.map(async (head): Promise<ChatPatch> => {
        const chatId = head.info.id;
        const count = ready.includes(head) ? READY_ROWS : 1;
        const from = Math.max(head.last_seq - count + 1, head.first);
        const { messages, reacted } = await readRows(tx, rowsOf(chatId, from));
        const first = messages[0]?.seq ?? head.last_seq + 1;
        const { members = [], reads = [] } = people.get(chatId) ?? {};
        return { head: { ...head, first }, replace: true, members, reads, messages, reacted };
      }),
    );
  }
}

async function readRows(tx: IDBTransaction, range: IDBKeyRange): Promise<CachedRows> {
  const reactions = tx.objectStore("reacted");
  const [messages, keys, emoji] = await Promise.all([
    done(tx.objectStore("messages").getAll(range) as IDBRequest<Message[]>),
    done(reactions.getAllKeys(range)),
    done(reactions.getAll(range) as IDBRequest<string[]>),
  ]);
  const reacted = keys.map((key, index): [Seq, string] => [(key as number[])[1] ?? 0, emoji[index] ?? ""]);
  return { messages, reacted };
}

function put(tx: IDBTransaction, patch: Patch, people: Map<ChatId, PeopleChange>): void {
  const kv = tx.objectStore("kv");
  const own = tx.objectStore("own");
  if (patch.reset?.own) {
    own.clear();
    tx.objectStore("items").clear();
    kv.delete("own");
  }
  if (patch.reset?.chats) {
    for (const store of ["chats", "people", "messages", "reacted"]) tx.objectStore(store).clear();
    people.clear();
  }
  if (patch.me) kv.put(patch.me, "me");
  if (patch.epochs !== undefined) kv.put(patch.epochs, "epochs");
  if (patch.own) {
    kv.put({ version: patch.own.version, missedCalls: patch.own.missedCalls }, "own");
    for (const chatId of patch.own.gone) own.delete(chatId);
    for (const mine of patch.own.chats) own.put(mine, mine.chat_id);
    for (const [place, item] of patch.own.items) {
      if (item) tx.objectStore("items").put(item, place);
      else tx.objectStore("items").delete(place);
    }
  }
  for (const chatId of patch.gone ?? []) {
    tx.objectStore("chats").delete(chatId);
    tx.objectStore("people").delete(chatId);
    people.delete(chatId);
    deleteRows(tx, rowsOf(chatId));
  }
  for (const chat of patch.chats ?? []) putChat(tx, chat, people);
}

function putChat(tx: IDBTransaction, patch: ChatPatch, people: Map<ChatId, PeopleChange>): void {
  const chatId = patch.head.info.id;
  const [messages, reacted] = [tx.objectStore("messages"), tx.objectStore("reacted")];
  // What was cached may have changed without our hearing of it (R7).
  if (patch.replace) deleteRows(tx, rowsOf(chatId));
  tx.objectStore("chats").put(patch.head, chatId);
  for (const message of [...(patch.older ?? []), ...(patch.messages ?? [])]) messages.put(message, [chatId, message.seq]);
  for (const [seq, emoji] of [...(patch.olderReacted ?? []), ...(patch.reacted ?? [])]) {
    if (emoji === null) reacted.delete([chatId, seq]);
    else reacted.put(emoji, [chatId, seq]);
  }
  if (!patch.replace && !patch.members && !patch.reads) return;
  const known = patch.replace ? undefined : people.get(chatId);
  const change = known ?? { replace: patch.replace === true, members: new Map(), reads: new Map() };
  for (const [id, member] of patch.members ?? []) change.members.set(id, member);
  for (const [id, seq] of patch.reads ?? []) change.reads.set(id, seq);
  people.set(chatId, change);
}

function putPeople(store: IDBObjectStore, chatId: ChatId, change: PeopleChange): void {
  const write = (known: People | undefined): void => {
    const members = new Map<UserId, Member>(known?.members);
    for (const [id, member] of change.members) {
      if (member) members.set(id, member);
      else members.delete(id);
    }
    const reads = new Map<UserId, Seq>([...(known?.reads ?? []), ...change.reads]);
    store.put({ members: [...members], reads: [...reads] }, chatId);
  };
  if (change.replace) return write(undefined);
  const known = store.get(chatId);
  known.onsuccess = () => write(known.result as People | undefined);
}

function deleteRows(tx: IDBTransaction, range: IDBKeyRange): void {
  tx.objectStore("messages").delete(range);
  tx.objectStore("reacted").delete(range);
}

/** Forgets the oldest cached messages of a chat beyond the bound. */
function trim(tx: IDBTransaction, chatId: ChatId): void {
  const store = tx.objectStore("messages");
  const count = store.count(rowsOf(chatId));
  count.onsuccess = () => {
    const over = count.result - CACHED;
    if (over <= 0) return;
    const cursor = store.openKeyCursor(rowsOf(chatId));
    let moved = false;
    cursor.onsuccess = () => {
      const at = cursor.result;
      if (!at) return;
      if (!moved) {
        moved = true;
        at.advance(over);
      } else deleteRows(tx, rowsOf(chatId, 0, (at.key as number[])[1]));
    };
  };
}
