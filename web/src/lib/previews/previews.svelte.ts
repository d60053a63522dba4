import { ChaparError, type LinkPreview, type NewBody } from '@chapar/client';
import { recognise } from '@chapar/client/text';
import { session } from '../state/session.svelte';

/** What is known of links of this session, `undefined` where there is nothing to show; the last of them. */
const known = new Map<string, LinkPreview | undefined>();
const KEPT = 60;
/** Links whose preview this person has put away: the same link is not shown again by itself. */
const putAway = new Set<string>();
/** The operator makes no previews. */
let off = false;

/** How long one stops writing before a link is looked at: half a link is none. */
const REST = 500;
/** After so long a link is asked for again that the server had no time for, and so often. */
const AGAIN = 3_000;
const TRIES = 3;

/** The first link of a text. */
export function linkIn(body: NewBody): string | undefined {
  if (body.kind !== 'text') return undefined;
  const marked = body.entities?.find((it) => it.type === 'link');
  const marks = marked && 'url' in marked && typeof marked.url === 'string' ? { at: marked.offset, url: marked.url } : undefined;
  const found = recognise(body.text).find((it) => it.kind === 'link');
  const typed = found?.url === undefined ? undefined : { at: found.from, url: found.url };
  const first = marks && typed ? (marks.at <= typed.at ? marks : typed) : (marks ?? typed);
  return first && /^https?:/.test(first.url) ? first.url : undefined;
}

/** What stands behind the first link of what is being written. */
export class Looking {
  preview = $state.raw<LinkPreview | undefined>();
  #link: string | undefined;

  /** To be made while a component is. */
  constructor(body: () => NewBody, told: (preview: LinkPreview | undefined) => void) {
    const link = $derived(linkIn(body()));
    $effect(() => {
      const wanted = link;
      this.#link = wanted;
      const at = wanted === undefined || off || putAway.has(wanted) ? undefined : wanted;
      this.#show(at === undefined ? undefined : known.get(at), told);
      if (at === undefined || known.has(at)) return;
      const timer = setTimeout(() => void this.#ask(at, told, TRIES), REST);
      return () => clearTimeout(timer);
    });
  }

  /** The message goes without it. */
  putAway(told: (preview: LinkPreview | undefined) => void): void {
    if (this.#link !== undefined) putAway.add(this.#link);
    this.#show(undefined, told);
  }

  #show(preview: LinkPreview | undefined, told: (preview: LinkPreview | undefined) => void): void {
    this.preview = preview;
    told(preview);
  }

  async #ask(link: string, told: (preview: LinkPreview | undefined) => void, tries: number): Promise<void> {
    try {
      const { preview } = await session.client.previewLink(link);
      if (known.size >= KEPT) known.clear();
      known.set(link, preview);
      if (this.#link === link) this.#show(preview, told);
    } catch (error) {
      if (error instanceof ChaparError && error.code === 'forbidden') off = true;
      else if (error instanceof ChaparError && error.action === 'retry' && tries > 1 && this.#link === link) setTimeout(() => void this.#ask(link, told, tries - 1), AGAIN);
    }
  }
}
