import type { SendState } from '@chapar/client';
import { compact, dates, late, t } from '../i18n/index.svelte';

/** A length in bytes, in words. */
export function bytes(count: number): string {
  const units = ['B', 'KB', 'MB', 'GB'] as const;
  let value = Math.max(count, 0);
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return late().media.size(compact(value >= 100 || at === 0 ? Math.round(value) : Math.round(value * 10) / 10), units[at] ?? 'B');
}

/** A time of play. */
export const playTime = (milliseconds: number): string => dates().duration(Math.round(milliseconds / 1000) * 1000);

/** What a message with files waits for. */
export function waitsFor(state: SendState | undefined, offline: boolean): string | undefined {
  const words = late().media;
  if (state?.state === 'waiting') return state.preparing ? words.looking : words.almost;
  if (state?.state !== 'uploading') return undefined;
  if (offline || state.hindered === 'unreachable') return words.hindered.offline;
  if (state.hindered === 'quota_exceeded') return words.hindered.quota;
  if (state.hindered !== undefined) return words.hindered.other;
  return words.progress(bytes(state.sent), bytes(state.size));
}

/** The name that a file is saved under when it has none. */
export function nameFor(body: { kind: string; file: { name?: string; mime: string } }, at: Date): string {
  if (body.file.name) return body.file.name;
  const ending = { 'image/jpeg': 'jpg', 'image/png': 'png', 'image/webp': 'webp', 'image/gif': 'gif', 'video/mp4': 'mp4', 'video/webm': 'webm', 'audio/ogg': 'ogg', 'audio/mpeg': 'mp3' }[body.file.mime] ?? 'bin';
  return `${t().app}-${at.toISOString().slice(0, 19).replace(/[T:]/g, '-')}.${ending}`;
}
