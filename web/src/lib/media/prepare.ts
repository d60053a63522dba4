// What is learnt of files in the browser before they are sent, and pictures made smaller. The server does all of it again: here
// it saves the network, and shows the message at once.

import type { FileFacts } from '@chapar/client';
import type { Quality } from './settings.svelte';
import { packWaveform } from './shapes';
import { encode, toBase64 } from './thumbhash';

export type Sent = 'photo' | 'video' | 'audio' | 'document' | 'voice' | 'sticker';

/** Most bytes of each kind, as the server has them. */
const MIB = 1024 ** 2;
export const MOST: Record<Sent, number> = { photo: 50 * MIB, video: 2048 * MIB, audio: 2048 * MIB, document: 2048 * MIB, voice: 100 * MIB, sticker: MIB };
/** Most files that are sent at once, and most pictures of one album. */
export const AT_ONCE = 50;
export const ALBUM = 10;

/** Longer side of a picture, in pixels, and how well it is kept. */
const SIDES: Record<Exclude<Quality, 'original'>, { side: number; quality: number }> = { saver: { side: 1280, quality: 0.72 }, good: { side: 2560, quality: 0.85 } };
/** A picture that is as small already is sent as it is. */
const SMALL = 300_000;
const PICTURES = /^image\/(jpeg|png|webp|gif|bmp|avif|heic|heif)$/;
/** How long a film may take to say what it is, in milliseconds. */
const PATIENCE = 15_000;

/** What a file is sent as, by its type; the server looks at the bytes. */
export function sentAs(file: File): Sent {
  if (PICTURES.test(file.type)) return 'photo';
  if (/^video\/(mp4|webm|quicktime)$/.test(file.type)) return 'video';
  if (/^audio\//.test(file.type)) return 'audio';
  return 'document';
}

export interface Prepared {
  file: Blob;
  kind: Sent;
  name: string;
  facts: FileFacts;
  poster?: Blob;
}

/** Makes a file ready to be sent. What cannot be read as what it seems to be goes as a document, with every byte as it is. */
export async function prepare(file: File, as: Sent, quality: Quality): Promise<Prepared> {
  const plain: Prepared = { file, kind: 'document', name: file.name, facts: {} };
  try {
    if (as === 'photo') return await photo(file, quality);
    if (as === 'video') return await video(file);
    if (as === 'audio') return { ...plain, kind: 'audio', facts: { duration_ms: await soundLength(file) } };
  } catch {
    // The bytes are none that this browser reads.
  }
  return plain;
}

/** A picture drawn in a size. */
export function drawn(source: CanvasImageSource, width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(Math.round(width), 1);
  canvas.height = Math.max(Math.round(height), 1);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** As a file. Rejects where the browser cannot write it. */
export const blobOf = (canvas: HTMLCanvasElement, type: string, quality: number): Promise<Blob> =>
  new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('not drawn'))), type, quality));

/** The tiny preview of a picture. */
function previewOf(source: CanvasImageSource, width: number, height: number): string {
  const scale = 64 / Math.max(width, height);
  const small = drawn(source, width * scale, height * scale);
  const { data } = small.getContext('2d')!.getImageData(0, 0, small.width, small.height);
  return toBase64(encode(small.width, small.height, data));
}

async function photo(file: File, quality: Quality): Promise<Prepared> {
  // Upright, whatever the camera noted: the note is not sent.
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const { width, height } = bitmap;
  try {
    const preview = previewOf(bitmap, width, height);
    const kept = (blob: Blob, w: number, h: number): Prepared => ({ file: blob, kind: 'photo', name: '', facts: { width: w, height: h, preview } });
    // What moves would stand still.
    if (quality === 'original' || file.type === 'image/gif') return kept(file, width, height);
    const { side, quality: how } = SIDES[quality];
    const scale = Math.min(side / Math.max(width, height), 1);
    if (scale === 1 && file.size <= SMALL) return kept(file, width, height);
    const canvas = drawn(bitmap, width * scale, height * scale);
    const type = file.type === 'image/png' && transparent(canvas) ? 'image/png' : 'image/jpeg';
    const blob = await blobOf(canvas, type, how);
    return blob.size < file.size || scale < 1 ? kept(blob, canvas.width, canvas.height) : kept(file, width, height);
  } finally {
    bitmap.close();
  }
}

/** Whether something is seen through it: a JPEG would make that black. */
function transparent(canvas: HTMLCanvasElement): boolean {
  const scale = 64 / Math.max(canvas.width, canvas.height);
  const small = drawn(canvas, canvas.width * scale, canvas.height * scale);
  const { data } = small.getContext('2d')!.getImageData(0, 0, small.width, small.height);
  for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 255) < 250) return true;
  return false;
}

/** Loads a film or a sound far enough to be asked about. */
async function loadedMedia<T extends HTMLMediaElement>(element: T, file: Blob, event: string): Promise<{ element: T; release: () => void }> {
  const url = URL.createObjectURL(file);
  const release = (): void => {
    element.removeAttribute('src');
    element.load();
    URL.revokeObjectURL(url);
  };
  element.preload = 'auto';
  element.muted = true;
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer')), PATIENCE);
      element.addEventListener(event, () => (clearTimeout(timer), resolve()), { once: true });
      element.addEventListener('error', () => (clearTimeout(timer), reject(new Error('not played'))), { once: true });
      element.src = url;
    });
  } catch (error) {
    release();
    throw error;
  }
  return { element, release };
}

/** How long it plays. What a browser has recorded says that only when one has gone to its end. */
async function lengthOf(element: HTMLMediaElement): Promise<number> {
  if (element.duration === Infinity) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PATIENCE);
      element.addEventListener('durationchange', () => (element.duration === Infinity ? undefined : (clearTimeout(timer), resolve())));
      element.currentTime = 1e7;
    });
  }
  return Number.isFinite(element.duration) ? Math.round(element.duration * 1000) : 0;
}

async function soundLength(file: Blob): Promise<number> {
  const { element, release } = await loadedMedia(document.createElement('audio'), file, 'loadedmetadata');
  try {
    return await lengthOf(element);
  } finally {
    release();
  }
}

async function video(file: File): Promise<Prepared> {
  const { element, release } = await loadedMedia(document.createElement('video'), file, 'loadeddata');
  try {
    const { videoWidth: width, videoHeight: height } = element;
    if (width === 0 || height === 0) throw new Error('no picture');
    const duration_ms = await lengthOf(element);
    // Films often begin with black.
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 3_000);
      element.addEventListener('seeked', () => (clearTimeout(timer), resolve()), { once: true });
      element.currentTime = Math.min(1, duration_ms / 4000);
    });
    const scale = Math.min(1280 / Math.max(width, height), 1);
    const canvas = drawn(element, width * scale, height * scale);
    return {
      file,
      kind: 'video',
      name: file.name,
      facts: { width, height, duration_ms, preview: previewOf(canvas, canvas.width, canvas.height) },
      poster: await blobOf(canvas, 'image/jpeg', 0.8),
    };
  } finally {
    release();
  }
}

/** A square of a picture, for a person's own. */
export async function square(source: ImageBitmap, x: number, y: number, side: number): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 640;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, 640, 640);
  context.drawImage(source, x, y, side, side, 0, 0, 640, 640);
  return blobOf(canvas, 'image/jpeg', 0.88);
}

/** What is seen of a film now, as a square: what stands for it until it plays. */
export async function stillOf(film: HTMLVideoElement): Promise<{ poster: Blob; preview: string } | undefined> {
  const { videoWidth: width, videoHeight: height } = film;
  if (width === 0 || height === 0) return undefined;
  const side = Math.min(width, height);
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = Math.min(side, 480);
  canvas.getContext('2d')?.drawImage(film, (width - side) / 2, (height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
  return { poster: await blobOf(canvas, 'image/jpeg', 0.75), preview: previewOf(canvas, canvas.width, canvas.height) };
}

/** 100 values of loudness out of as many as were measured. */
export function waveformOf(levels: readonly number[]): string | undefined {
  if (levels.length === 0) return undefined;
  const peak = Math.max(...levels, 0.02);
  const values = Array.from({ length: 100 }, (_, at) => {
    const [from, to] = [Math.floor((at * levels.length) / 100), Math.max(Math.floor(((at + 1) * levels.length) / 100), Math.floor((at * levels.length) / 100) + 1)];
    return (Math.max(...levels.slice(from, to), 0) / peak) * 31;
  });
  return packWaveform(values);
}
