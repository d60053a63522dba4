import type { Body, NewBody, OutboxItem } from '@chapar/client';

/** A body with a file, as it is stored. One that is on its way is made to look like it. */
export type MediaBody = Extract<Body, { kind: 'photo' | 'video' | 'round' | 'voice' | 'audio' | 'document' | 'sticker' }>;
export type PictureBody = Extract<Body, { kind: 'photo' | 'video' }>;

const WITH_FILE: ReadonlySet<string> = new Set(['photo', 'video', 'round', 'voice', 'audio', 'document', 'sticker']);

/** Whether a body has what those that draw it rely on. */
export function isMedia(body: { kind: string }): body is MediaBody {
  if (!WITH_FILE.has(body.kind)) return false;
  const { file, width, height, duration_ms } = body as Record<string, unknown> & { file?: { id?: unknown; size?: unknown } };
  const number = (it: unknown): boolean => typeof it === 'number' && it >= 0;
  if (typeof file?.id !== 'string' || !number(file.size)) return false;
  if (['photo', 'video', 'sticker'].includes(body.kind) && !(number(width) && number(height))) return false;
  return !['video', 'round', 'voice', 'audio'].includes(body.kind) || number(duration_ms);
}

const drawnOf = new WeakMap<OutboxItem, Body[]>();

/** The messages of an item of the outbox, one or those of an album, as they will look when they are stored. */
export function pendingBodies(item: OutboxItem): (Body | NewBody)[] {
  const known = drawnOf.get(item);
  if (known) return known;
  if (!item.files) {
    const { body } = item;
    if (body.kind !== 'sticker') return [body];
    // One of a pack: there is nothing to bring up.
    const drawn: Body[] = [{ ...body, file: { id: body.file_id, size: 0, mime: '' }, width: 512, height: 512 }];
    drawnOf.set(item, drawn);
    return drawn;
  }
  const bodies = [item.body, ...(item.rest ?? []).map((it) => it.body)].map((body, part): Body => {
    const file = item.files?.find((it) => it.part === part && it.slot === 'file_id');
    if (!file) return body as never;
    const { facts = {}, name } = file;
    // A picture whose size is not known yet is square, a sound without length is as long as nothing.
    const shape = { width: facts.width ?? 1, height: facts.height ?? 1, duration_ms: facts.duration_ms ?? 0 };
    const { preview, waveform } = facts;
    const poster = item.files?.find((it) => it.part === part && it.slot === 'poster');
    const kept = { id: file.id ?? '', size: file.size, mime: file.type, ...(name && { name }) };
    return { ...(body.kind === 'document' ? { ...facts } : shape), ...(preview && { preview }), ...(waveform && { waveform }), ...(poster && { poster: poster.id ?? '' }), ...body, file: kept } as never;
  });
  drawnOf.set(item, bodies);
  return bodies;
}

/** Where the bytes of a part of an item of the outbox are: the index of its file. */
export const fileIndex = (item: OutboxItem, part: number, slot: 'file_id' | 'poster' = 'file_id'): number => item.files?.findIndex((it) => it.part === part && it.slot === slot) ?? -1;

/** Sides of the smaller pictures that the server makes; the longer side counts. */
export const SIZES = [320, 800, 1280, 2560] as const;

/**
 * Which size of a picture to load: the smallest that fills its place on this screen, else the largest there is. `sizes` are
 * those that exist beside the original.
 */
export function sizeFor(sizes: readonly number[] | undefined, longer: number, wanted: number): string {
  const there = [...(sizes ?? [])].filter((it) => it < longer).sort((a, b) => a - b);
  const enough = there.find((it) => it >= wanted * 0.9);
  return enough === undefined ? 'original' : String(enough);
}

/** The place of a picture, in rem: as wide as it may be, and not too high; never so narrow that nothing of it is seen. */
export function boxOf(width: number, height: number, widest = 20, highest = 22): { width: number; ratio: number } {
  const [w, h] = [Math.max(width, 1), Math.max(height, 1)];
  const scale = Math.min(widest / w, highest / h, 1 / 4);
  const shown = Math.max(w * scale, 7.5);
  // A strip is cut, not made into a line.
  const tall = Math.min(Math.max(h * scale, 5), highest);
  return { width: Math.round(shown * 100) / 100, ratio: Math.round((shown / tall) * 1000) / 1000 };
}

/** The loudness of a voice, 0 to 31, 100 values of 5 bits. */
export function waveform(packed: string | undefined): number[] | undefined {
  if (!packed) return undefined;
  let text: string;
  try {
    text = atob(packed);
  } catch {
    return undefined;
  }
  const values: number[] = [];
  for (let bit = 0; values.length < 100 && bit + 5 <= text.length * 8; bit += 5) {
    const word = text.charCodeAt(bit >> 3) | ((text.charCodeAt((bit >> 3) + 1) || 0) << 8);
    values.push((word >> (bit & 7)) & 31);
  }
  return values.length === 100 ? values : undefined;
}

/** The packed form of 100 values. */
export function packWaveform(values: readonly number[]): string {
  const bytes = new Uint8Array(63);
  for (const [at, value] of values.slice(0, 100).entries()) {
    const bit = at * 5;
    const word = Math.min(Math.max(Math.round(value), 0), 31) << (bit & 7);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (word & 255);
    if (word > 255) bytes[(bit >> 3) + 1] = (bytes[(bit >> 3) + 1] ?? 0) | (word >> 8);
  }
  return btoa(String.fromCharCode(...bytes)).replace(/=+$/, '');
}
