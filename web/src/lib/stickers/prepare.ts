// Images made ready to be stickers: small, with what is seen through them, as the server takes them.

import { MOST, blobOf, drawn } from '../media/prepare';

/** Longer side, in pixels. */
const SIDE = 512;

/** Whether a WebP moves: its extended header says so (RFC 9649, section 2.7). */
async function moves(file: Blob): Promise<boolean> {
  if (file.type === 'image/gif') return true;
  const head = new Uint8Array(await file.slice(0, 21).arrayBuffer());
  const text = (from: number): string => String.fromCharCode(...head.subarray(from, from + 4));
  return text(0) === 'RIFF' && text(8) === 'WEBP' && text(12) === 'VP8X' && ((head[20] ?? 0) & 2) !== 0;
}

/** A sticker made of an image. Rejects for what is no image, or moves and is too large: that cannot be made smaller here. */
export async function asSticker(file: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  try {
    const { width, height } = bitmap;
    if (await moves(file)) {
      if (file.size > MOST.sticker || Math.max(width, height) > SIDE) throw new Error('too large');
      return file;
    }
    const scale = Math.min(SIDE / Math.max(width, height), 1);
    const canvas = drawn(bitmap, width * scale, height * scale);
    // Where a browser cannot write WebP it gives PNG, which is taken as well.
    const blob = await blobOf(canvas, 'image/webp', 0.9);
    if (blob.size > MOST.sticker) throw new Error('too large');
    return blob;
  } finally {
    bitmap.close();
  }
}
