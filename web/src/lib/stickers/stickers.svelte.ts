import { ChaparError, type ItemOf, type KeptSticker, type NewPackSticker, type SendOptions, type StickerPack } from '@chapar/client';
import { SvelteMap } from 'svelte/reactivity';
import { sentence } from '../i18n/index.svelte';
import { session } from '../state/session.svelte';
import { notices } from '../ui/notices.svelte';

/** A sticker that can be sent: by its pack and its file. */
export interface Sticker {
  packId: string;
  fileId: string;
  emoji?: string | undefined;
  animated?: boolean | undefined;
}

/** So many of those that were sent last are shown; what is older is taken back. */
const RECENT = 30;
/** Packs that one request names. */
const AT_ONCE = 8;
/** Stickers that a pack may have. */
export const PACK_STICKERS = 120;

type KeptItem = ItemOf<'favorite_sticker'> | ItemOf<'recent_sticker'>;

const ofItem = ({ file_id, value }: KeptItem): Sticker | undefined => value && { packId: value.pack_id, fileId: file_id, emoji: value.emoji, animated: value.animated };
const latest = (a: KeptItem, b: KeptItem): number => (b.value?.at ?? '').localeCompare(a.value?.at ?? '');
const valueOf = ({ packId, emoji, animated }: Sticker): KeptSticker => ({ pack_id: packId, ...(emoji && { emoji }), ...(animated && { animated }), at: new Date().toISOString() });

/** The stickers of a pack. */
export const ofPack = (pack: StickerPack): Sticker[] => pack.stickers.map(({ file_id, emoji, animated }) => ({ packId: pack.id, fileId: file_id, emoji, animated }));

/** This person's stickers: which packs are added, what is at hand, and packs as far as they were looked at. */
class Stickers {
  /** Packs that were looked at; null: there is no such pack any more. */
  packs = new SvelteMap<string, StickerPack | null>();
  #asked = new Map<string, Promise<void>>();

  /** The ids of the packs that are added, in their order. */
  get added(): string[] {
    const items = session.items('sticker_pack');
    return items.sort((a, b) => (a.value?.order ?? 0) - (b.value?.order ?? 0) || a.pack_id.localeCompare(b.pack_id)).map((item) => item.pack_id);
  }

  get favourites(): Sticker[] {
    return session.items('favorite_sticker').sort(latest).map(ofItem).filter((it) => it !== undefined);
  }

  get recent(): Sticker[] {
    return session.items('recent_sticker').sort(latest).slice(0, RECENT).map(ofItem).filter((it) => it !== undefined);
  }

  isAdded(packId: string): boolean {
    return session.items('sticker_pack').some((item) => item.pack_id === packId);
  }

  isFavourite(fileId: string): boolean {
    return session.items('favorite_sticker').some((item) => item.file_id === fileId);
  }

  /** Looks at packs that were not looked at yet. Rejects when there is no network. */
  async load(ids: readonly string[], anew = false): Promise<void> {
    const wanted = ids.filter((id) => anew || !this.packs.has(id));
    const missing = wanted.filter((id) => !this.#asked.has(id));
    for (let from = 0; from < missing.length; from += AT_ONCE) {
      const some = missing.slice(from, from + AT_ONCE);
      const asked = this.#ask(some).finally(() => some.forEach((id) => this.#asked.delete(id)));
      for (const id of some) this.#asked.set(id, asked);
    }
    await Promise.all(wanted.map((id) => this.#asked.get(id)));
  }

  async #ask(ids: string[]): Promise<void> {
    const { packs } = await session.client.getStickerPacks(ids);
    for (const id of ids) {
      const pack = packs.find((it) => it.id === id) ?? null;
      this.packs.set(id, pack);
      // It was deleted by whoever made it.
      if (!pack && session.client.item('sticker_pack', id)) session.client.setItem('sticker_pack', id).catch(() => {});
    }
  }

  async add(packId: string): Promise<void> {
    const orders = session.items('sticker_pack').map((item) => item.value?.order ?? 0);
    await this.#attempt(session.client.setItem('sticker_pack', packId, { order: Math.max(-1, ...orders) + 1 }));
  }

  async remove(packId: string): Promise<void> {
    await this.#attempt(session.client.setItem('sticker_pack', packId));
  }

  async toggleFavourite(sticker: Sticker): Promise<void> {
    await this.#attempt(session.client.setItem('favorite_sticker', sticker.fileId, this.isFavourite(sticker.fileId) ? undefined : valueOf(sticker)));
  }

  /** Sends one, and keeps it at hand. */
  send(chatId: number, sticker: Sticker, options: SendOptions): void {
    const { packId, fileId, emoji } = sticker;
    const { stored } = session.client.send(chatId, { kind: 'sticker', file_id: fileId, pack_id: packId, ...(emoji && { emoji }) }, options);
    stored.then(
      () => this.#keep(sticker),
      (error: unknown) => {
        if (!(error instanceof ChaparError)) return;
        // Its pack is gone, or it is not in it any more.
        if (error.code === 'file_not_found') this.#forget(fileId);
        else if (['outbox_full', 'other_user', 'closed', 'store_failed'].includes(error.code)) notices.tell(sentence(error));
      },
    );
  }

  #keep(sticker: Sticker): void {
    const items = session.items('recent_sticker').sort(latest).filter((item) => item.file_id !== sticker.fileId);
    const old = items.slice(RECENT - 1).map(({ kind, file_id }) => ({ kind, file_id }));
    // What cannot be kept now is kept the next time: nobody waits for it.
    session.client.setItems([{ kind: 'recent_sticker', file_id: sticker.fileId, value: valueOf(sticker) }, ...old]).catch(() => {});
  }

  #forget(fileId: string): void {
    const gone = (['recent_sticker', 'favorite_sticker'] as const).filter((kind) => session.client.item(kind, fileId) !== undefined);
    if (gone.length > 0) session.client.setItems(gone.map((kind) => ({ kind, file_id: fileId }))).catch(() => {});
  }

  /** Makes a pack or replaces it, and adds it to the own ones. */
  async save(packId: string, title: string, stickers: NewPackSticker[]): Promise<void> {
    const pack = await session.client.setStickerPack(packId, title, stickers);
    this.packs.set(packId, pack);
    if (!this.isAdded(packId)) await this.add(packId);
  }

  async delete(packId: string): Promise<boolean> {
    try {
      await session.client.deleteStickerPack(packId);
    } catch (error) {
      if (!(error instanceof ChaparError && error.code === 'pack_not_found')) {
        notices.tell(sentence(error));
        return false;
      }
    }
    this.packs.set(packId, null);
    await this.remove(packId);
    return true;
  }

  async #attempt(doing: Promise<unknown>): Promise<void> {
    await doing.catch((error: unknown) => notices.tell(sentence(error)));
  }
}

export const stickers = new Stickers();
