import type { Message, StickerPack } from '@chapar/client';

/** What of the media lies over the page, told to the first load: what draws it is loaded when it is wanted. */
class Now {
  /** The picture or film that is looked at. */
  viewing = $state.raw<{ chatId: number; seq: number } | undefined>();
  /** The pack of stickers that is looked at, and by which sticker it was opened. */
  pack = $state.raw<{ packId: string; fileId?: string } | undefined>();
  /** Of which message it is looked at who has reacted to it and read it. */
  audience = $state.raw<{ chatId: number; seq: number; readable: boolean; counts: readonly { emoji: string; count: number }[] } | undefined>();
  /** The pack that is made or changed. */
  packEdit = $state.raw<{ pack?: StickerPack } | undefined>();
  /** Messages of a chat that are about to be forwarded. */
  forwarding = $state.raw<{ chatId: number; messages: readonly Message[] } | undefined>();
  /** Messages of a chat that are about to be deleted; `all`: they may be for everybody. */
  deleting = $state.raw<{ chatId: number; seqs: readonly number[]; all: boolean } | undefined>();
  /** A message of which some words are about to be quoted; those from `from` to `to` are chosen already. */
  quoting = $state.raw<{ chatId: number; seq: number; text: string; from: number; to: number } | undefined>();
  /** Something plays, or stands in the middle. */
  player = $state(false);
}

export const now = new Now();
