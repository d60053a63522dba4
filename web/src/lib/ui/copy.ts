import { t } from '../i18n/index.svelte';
import { notices } from './notices.svelte';

/** Copies a text and says so. Where the page is not served securely the browser gives no clipboard: then by selection. */
export async function copyText(text: string): Promise<void> {
  try {
    await (navigator.clipboard as Clipboard | undefined)?.writeText(text);
    if (!navigator.clipboard) bySelection(text);
  } catch {
    bySelection(text);
  }
  notices.tell(t().common.copied);
}

function bySelection(text: string): void {
  const before = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
}
