import type { Entity } from '@chapar/client';
import { session } from '../state/session.svelte';
import type { Shown } from '../chat/items';

/** Sends what the server could not read as what it seemed to be, as files: every byte as it is. */
export async function resendAsFiles(shown: Shown): Promise<void> {
  const { source } = shown;
  if (!('client_id' in source)) return;
  const { client } = session;
  const files = (source.files ?? []).map((file, index) => ({ ...file, index })).filter(({ slot }) => slot === 'file_id');
  const given = await Promise.all(files.map(async (file) => ({ ...file, blob: await client.outgoingFile(source.client_id, file.index) })));
  const bodies = [source.body, ...(source.rest ?? []).map(({ body }) => body)];
  for (const { blob, name, part } of given) {
    if (!blob) continue;
    const { text, entities } = (bodies[part] ?? {}) as { text?: string; entities?: Entity[] };
    client.sendFile(source.chat_id, blob, { kind: 'document', name: name || `file-${part + 1}`, ...(text && { text }), ...(entities && { entities }), ...(source.reply_to !== undefined && part === 0 && { replyTo: source.reply_to }) });
  }
  await client.cancel(source.client_id);
}
