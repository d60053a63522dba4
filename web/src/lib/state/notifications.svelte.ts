import { calls } from '@chapar/client';
import { messageLine } from '../chat/words';
import { t } from '../i18n/index.svelte';
import { isolate } from '@chapar/client/text';
import { arranged } from './arranged.svelte';
import { prefs } from './prefs.svelte';
import { hashOf, parseRoute } from './routes';
import { router } from './router.svelte';
import { session } from './session.svelte';

/** Notifications of the page: they tell of new messages while some tab of the app lives. */
class Notifications {
  blocked = $state(typeof Notification !== 'undefined' && Notification.permission === 'denied');

  start(): void {
    // Allowed or forbidden in the browser's own settings while the page lives.
    void navigator.permissions?.query({ name: 'notifications' }).then(
      (status) => status.addEventListener('change', () => (this.blocked = status.state === 'denied')),
      () => {},
    );
    session.client.on('message', ({ chatId, message }) => {
      if (message.sender === session.me?.id || message.body.kind === 'service' || message.silent) return;
      if (!document.hidden && document.hasFocus()) return;
      const chat = session.client.chat(chatId);
      // What a stranger writes makes no sound, nor what is muted or put away.
      if (!chat || chat.request || message.seq <= chat.readSeq || arranged.isArchived(chatId)) return;
      // Nor what somebody writes whom one has blocked, in a group of both.
      if (session.isBlocked(message.sender)) return;
      const called = chat.info.kind === 'group' && arranged.hearsMentions(chatId) && calls(message, session.me?.id ?? 0);
      if (arranged.isMuted(chatId) && !called) return;
      const title = session.title(chat);
      const from = chat.info.kind === 'group' ? `${isolate(session.name(message.sender))}: ` : '';
      void this.show(title, `${from}${isolate(messageLine(message))}`, `chat-${chatId}`, hashOf({ at: 'chat', chatId }));
    });
    if ('serviceWorker' in navigator) {
      navigator.serviceWorker.addEventListener('message', (event: MessageEvent<unknown>) => {
        const data = event.data;
        if (typeof data === 'object' && data !== null && 'go' in data && typeof data.go === 'string') void router.go(parseRoute(data.go));
      });
    }
  }

  async set(on: boolean): Promise<void> {
    if (on && typeof Notification !== 'undefined' && Notification.permission !== 'granted') {
      const answer = await Notification.requestPermission();
      this.blocked = answer === 'denied';
      on = answer === 'granted';
    }
    prefs.setFlag('notify', on);
  }

  /** Tabs that show the same thing share its tag, so that it is seen once. */
  async show(title: string, body: string, tag: string, hash: string, urgent = false): Promise<void> {
    if (!prefs.notify || typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
    const options: NotificationOptions = {
      body,
      tag,
      data: hash,
      icon: '/icons/icon-192.png',
      lang: prefs.language,
      dir: document.documentElement.dir === 'rtl' ? 'rtl' : 'ltr',
      requireInteraction: urgent,
    };
    try {
      const worker = await navigator.serviceWorker?.getRegistration();
      if (worker) await worker.showNotification(title || t().app, options);
      else new Notification(title || t().app, options);
    } catch {
      // Some browsers know notifications only from a worker that they do not have here.
    }
  }

  async clear(tag: string): Promise<void> {
    const worker = await navigator.serviceWorker?.getRegistration();
    for (const each of (await worker?.getNotifications({ tag })) ?? []) each.close();
  }
}

export const notifications = new Notifications();
