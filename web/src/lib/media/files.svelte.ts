import { session } from '../state/session.svelte';

/** Files of this device that are shown, as addresses: by message and place while they are on their way, by their id after. */
const locals = new Map<string, string>();
/** So many of them stay at hand; those that were shown first go first. */
const KEPT = 60;

function keep(key: string, url: string): void {
  locals.delete(key);
  locals.set(key, url);
  if (locals.size <= KEPT) return;
  const [first] = locals;
  if (!first) return;
  locals.delete(first[0]);
  if (![...locals.values()].includes(first[1])) URL.revokeObjectURL(first[1]);
}

/** Where a file is: in a message, on its way or stored. */
export interface Whereabouts {
  chatId: number;
  seq: number | undefined;
  fileId: string;
  /** On its way: whose, and which of its files. */
  clientId?: string | undefined;
  index?: number | undefined;
}

/** The address of a file of this device, when it is one. */
export async function localUrl({ fileId, clientId, index = -1 }: Whereabouts): Promise<string | undefined> {
  const known = (fileId && locals.get(fileId)) || (clientId !== undefined ? locals.get(`${clientId}/${index}`) : undefined);
  if (known) {
    if (fileId) keep(fileId, known);
    return known;
  }
  if (clientId === undefined || index < 0) return undefined;
  const blob = await session.client.outgoingFile(clientId, index).catch(() => undefined);
  if (!blob) return undefined;
  const url = URL.createObjectURL(blob);
  keep(`${clientId}/${index}`, url);
  if (fileId) keep(fileId, url);
  return url;
}

/** The address of a stored file in a size, or of the next larger one that there is. */
export async function remoteUrl({ chatId, seq, fileId }: Whereabouts, size: string): Promise<string | undefined> {
  if (seq === undefined || !fileId) return undefined;
  const [links] = await session.client.links(chatId, [{ seq, fileId }]);
  if (!links) return undefined;
  return links.get(size) ?? links.get('original') ?? [...links.values()].at(-1);
}

/** How long it waits after a failure, in milliseconds: twice as long each time that what came cannot be shown, such as bytes that are no picture. */
const AGAIN = 5_000;
const AT_MOST = 600_000;

/** The address of a file in a component, asked for when it is wanted; it stays when the message is stored. */
export class FileUrl {
  url = $state<string | undefined>();
  /** It cannot be had: it may not be read any more, or there is no network. */
  failed = $state<'gone' | 'away' | undefined>();
  #turn = 0;
  #losses = 0;
  #lostAt = -Infinity;

  /** To be made while a component is. */
  constructor(where: () => Whereabouts, size: () => string, wanted: () => boolean) {
    let loaded = '';
    $effect(() => {
      const at = where();
      const [what, want] = [size(), wanted()];
      const key = `${at.seq} ${at.fileId} ${what}`;
      void this.failed;
      if (!want || (this.url !== undefined && (loaded === key || this.url.startsWith('blob:')))) return;
      void this.#load(at, what).then((url) => (url === undefined ? undefined : (loaded = key)));
    });
  }

  /** What was loaded could not be shown: the link may have ended. */
  lost(): void {
    this.url = undefined;
    // A link that ends after an hour is no fault of what it led to.
    if (performance.now() - this.#lostAt > 2 * AT_MOST) this.#losses = 0;
    this.#lostAt = performance.now();
    this.#later('away', Math.min(AGAIN * 2 ** this.#losses++, AT_MOST));
  }

  async #load(at: Whereabouts, size: string): Promise<string | undefined> {
    const turn = ++this.#turn;
    let url: string | undefined;
    try {
      url = (await localUrl(at)) ?? (await remoteUrl(at, size));
      if (turn !== this.#turn) return undefined;
      if (url === undefined && at.seq !== undefined) this.failed = 'gone';
      else if (url !== undefined) {
        this.failed = undefined;
        this.url = url;
      }
    } catch {
      if (turn === this.#turn) this.#later('away');
    }
    return url;
  }

  #later(why: 'away', wait = AGAIN): void {
    this.failed = why;
    setTimeout(() => (this.failed === why ? (this.failed = undefined) : undefined), wait);
  }
}

let watcher: IntersectionObserver | undefined;
const told = new WeakMap<Element, () => void>();

/** Calls once when an element comes near the screen: what nobody scrolls to is not loaded. */
export function near(element: HTMLElement, come: () => void): { destroy(): void } {
  watcher ??= new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watcher?.unobserve(target);
        told.get(target)?.();
      }
    },
    { rootMargin: '600px 0px' },
  );
  told.set(element, come);
  watcher.observe(element);
  return { destroy: () => watcher?.unobserve(element) };
}

/** Saves a file under its name: by the browser's own download, which shows its progress. */
export async function save(where: Whereabouts, name: string): Promise<boolean> {
  const url = (await localUrl(where)) ?? (await remoteUrl(where, 'original'));
  if (url === undefined) return false;
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.rel = 'noopener';
  document.body.append(link);
  link.click();
  link.remove();
  return true;
}
