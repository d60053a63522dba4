/** Where things stand on the screen, so that they stand there again after the page has changed around them. */
export interface Anchor {
  key: string;
  /** From the top of the scrolled box to the top of the row, in CSS pixels. */
  top: number;
}

export interface OnScreen {
  key: string;
  element: HTMLElement;
  box: DOMRect;
}

/** Within this distance of the end one is at the end, in CSS pixels. */
const NEAR = 48;

/** A box that scrolls a list of rows marked with `data-key`, and keeps its place whatever happens to them. */
export class Scroll {
  readonly #box: HTMLElement;
  readonly #list: HTMLElement;
  #anchors: Anchor[] = [];
  /** How far the box was scrolled when the anchors were noted. */
  #noted = 0;
  /** Whether the end is followed. */
  following = true;

  constructor(box: HTMLElement, list: HTMLElement) {
    this.#box = box;
    this.#list = list;
  }

  /** What is on the screen stays there from now on, whatever comes at the end. */
  stay(): void {
    this.following = false;
    this.capture();
  }

  get nearEnd(): boolean {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < NEAR;
  }

  get toTop(): number {
    return this.#box.scrollTop;
  }

  get toEnd(): number {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight;
  }

  get height(): number {
    return this.#box.clientHeight;
  }

  /** Notes the rows on the screen. Several, because one of them may be taken away. */
  capture(): void {
    this.#noted = this.#box.scrollTop;
    const top = this.#top();
    this.#anchors = this.visible().map(({ key, box }) => ({ key, top: box.top - top }));
  }

  /** Puts the rows noted back to where they were, or the end back to the bottom. */
  restore(): void {
    if (this.following) {
      this.#box.scrollTop = this.#box.scrollHeight;
      return;
    }
    // What was scrolled since is the person's own doing, of which the event has not come yet.
    const scrolled = this.#box.scrollTop - this.#noted;
    for (const anchor of this.#anchors) {
      const row = this.row(anchor.key);
      if (!row) continue;
      const moved = row.getBoundingClientRect().top - this.#top() - (anchor.top - scrolled);
      if (Math.abs(moved) >= 0.5) this.#box.scrollTop += moved;
      this.capture();
      return;
    }
  }

  /** Puts a row at a place of the box. */
  place(key: string, where: 'start' | 'center' | number): boolean {
    const row = this.row(key);
    if (!row) return false;
    const { top, height } = row.getBoundingClientRect();
    const wanted = where === 'start' ? 12 : where === 'center' ? Math.max(12, (this.height - height) / 2) : where;
    this.#box.scrollTop += top - this.#top() - wanted;
    this.following = false;
    this.capture();
    return true;
  }

  end(smooth: boolean): void {
    this.following = true;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#box.scrollTo({ top: this.#box.scrollHeight, behavior: smooth && !calm ? 'smooth' : 'instant' });
  }

  /** The rows on the screen, from the top. */
  visible(): OnScreen[] {
    return [...this.onScreen()];
  }

  /** One after the other, each measured when it is asked for. Rows are in order, so the first is found by halving. */
  *onScreen(): Generator<OnScreen> {
    const rows = this.#list.children;
    const top = this.#top();
    const bottom = top + this.height;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((rows[middle] as HTMLElement).getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < rows.length; at++) {
      const element = rows[at] as HTMLElement;
      const box = element.getBoundingClientRect();
      if (box.top >= bottom) break;
      const key = element.dataset['key'];
      if (key !== undefined) yield { key, element, box };
    }
  }

  row(key: string): HTMLElement | undefined {
    return this.#list.querySelector<HTMLElement>(`:scope > [data-key="${CSS.escape(key)}"]`) ?? undefined;
  }

  #top(): number {
    return this.#box.getBoundingClientRect().top;
  }
}
