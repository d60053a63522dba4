// Somebody who looks on over the HTTP API, at the server itself.
import type { Person } from './people';

/** A message as a screen tells of it; an album is one. */
export interface Told {
  seq: number;
  kind: string;
  words: string;
}

export interface Row extends Told {
  /** Which part of an album it is. */
  part: number;
  album: string | undefined;
  sender: number;
  file: { id: string; size: number; name?: string } | undefined;
}

interface Body {
  kind: string;
  text?: string;
  album?: string;
  file?: Row['file'];
}

/** All that stands in a chat, without what the server itself says. */
export async function truth(person: Person, chatId: number): Promise<Row[]> {
  const { messages } = await person.call<{ messages: { seq: number; sender: number; body: Body }[] }>('history', { chat_id: chatId, seq: 1, before: 0, after: 100 });
  const rows: Row[] = [];
  for (const { seq, sender, body } of messages) {
    if (body.kind === 'service') continue;
    const before = rows.at(-1);
    const part = body.album !== undefined && before?.album === body.album ? before.part + 1 : 0;
    rows.push({ seq, sender, kind: body.album === undefined ? body.kind : 'album', words: body.text ?? '', part, album: body.album, file: body.file });
  }
  return rows;
}

/** Looks again and again at what is new: each file that a message names must be there whole, and an album all at once. */
export class Watcher {
  readonly faults: string[] = [];
  readonly #seqs = new Set<number>();
  readonly #albums = new Map<string, number>();
  #stopped = false;

  constructor(
    readonly person: Person,
    readonly chatId: number,
  ) {
    void this.#watch();
  }

  get seen(): number {
    return this.#seqs.size;
  }

  stop(): void {
    this.#stopped = true;
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      // While the server is away there is nothing to see.
      await this.#look().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #look(): Promise<void> {
    const rows = await truth(this.person, this.chatId);
    const sizes = new Map<string, number>();
    for (const { album } of rows) if (album !== undefined) sizes.set(album, (sizes.get(album) ?? 0) + 1);
    for (const [album, size] of sizes) {
      const before = this.#albums.get(album);
      if (before !== undefined && before !== size) this.faults.push(`album ${album}: first ${before} of it, then ${size}`);
      this.#albums.set(album, size);
    }
    for (const row of rows.filter(({ seq }) => !this.#seqs.has(seq))) {
      if (row.file) await this.#whole(row, row.file);
      this.#seqs.add(row.seq);
    }
  }

  async #whole({ seq, kind }: Row, file: NonNullable<Row['file']>): Promise<void> {
    const { links } = await this.person.call<{ links: { size: string; url: string }[] }>('get_links', { chat_id: this.chatId, files: [{ seq, file_id: file.id }] });
    const url = links.find(({ size }) => size === 'original')?.url;
    const answer = url === undefined ? undefined : await fetch(new URL(url, this.person.url));
    const length = answer?.ok ? (await answer.arrayBuffer()).byteLength : undefined;
    if (length !== file.size) this.faults.push(`${kind} #${seq}: ${answer?.status ?? 'no link'}, ${length} bytes of ${file.size}`);
  }
}
