import { late, t } from '../i18n/index.svelte';
import { attaching, choose } from '../media/attach.svelte';
import { menu } from '../ui/menu.svelte';

/** What can be sent beside words, files and voice. */
export type Adding = 'location' | 'contact' | 'round' | 'poll';

/** Asks what is to be attached. */
export function offer(button: HTMLElement, chatId: number, begin: (what: Adding) => void): void {
  menu.show(button, {
    label: t().media.attach,
    above: true,
    items: [
      { label: late().adding.files, icon: 'image', run: () => choose((files) => attaching.add(chatId, files)) },
      { label: t().media.round, icon: 'video', run: () => begin('round') },
      { label: t().media.poll, icon: 'poll', run: () => begin('poll') },
      { label: t().media.location, icon: 'pin', run: () => begin('location') },
      { label: t().media.contact, icon: 'person', run: () => begin('contact') },
    ],
  });
}

/** The part of the app that sends it. */
export const PARTS = {
  location: () => import('./PlaceDialog.svelte'),
  contact: () => import('./ContactDialog.svelte'),
  round: () => import('./RoundDialog.svelte'),
  poll: () => import('../polls/PollDialog.svelte'),
} as const;
