import type { ChatView, Folder, Mute } from '@chapar/client';
import { late } from '../i18n/index.svelte';
import { attempt } from '../people/block';
import { arranged, type FolderTab } from '../state/arranged.svelte';
import { session } from '../state/session.svelte';
import { menu, type MenuItem } from '../ui/menu.svelte';
import { notices } from '../ui/notices.svelte';

/** Where the first pin stands: there is room above it. */
const MIDDLE = 1_000_000_000;
const MOST_PINS = 200;
const HOUR = 3_600_000;
const SPANS = { hour: HOUR, eight: 8 * HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR, always: undefined } as const;

/** What can be done with a chat in the list: the row's menu and the one of the open chat both show this. */
export function chatItems(chat: ChatView, at: MouseEvent | HTMLElement): MenuItem[] {
  const words = late().folders;
  const { id } = chat;
  const [pinned, muted, archived, heard] = [arranged.isPinned(id), arranged.isMuted(id), arranged.isArchived(id), arranged.hearsMentions(id)];
  const shown = arranged.pins.filter(([each]) => session.chat(each) !== undefined && !arranged.isArchived(each));
  const place = shown.findIndex(([each]) => each === id);
  const items: (MenuItem | false)[] = [
    chat.unread > 0 && { label: words.markRead, icon: 'checks', run: () => void attempt(() => session.client.markRead(id, chat.lastSeq)) },
    !archived && { label: pinned ? words.unpin : words.pin, icon: 'pin', run: () => void pin(id, !pinned) },
    pinned && place > 0 && { label: words.up, icon: 'up', run: () => void swap(shown[place], shown[place - 1]) },
    pinned && place >= 0 && place < shown.length - 1 && { label: words.down, icon: 'down', run: () => void swap(shown[place], shown[place + 1]) },
    !session.isNotes(chat) && (muted ? { label: words.unmute, icon: 'bell', run: () => void mute(id, undefined) } : { label: words.mute, icon: 'bellOff', run: () => muteMenu(id, at, false) }),
    chat.info.kind === 'group' && (muted ? { label: heard ? words.muteMentions : words.hearMentions, icon: 'at', run: () => void hear(id, !heard) } : { label: words.muteButMentions, icon: 'at', run: () => muteMenu(id, at, true) }),
    arranged.folders.length > 0 && { label: words.addTo, icon: 'folder', run: () => folderMenu(chat, at) },
    { label: archived ? words.unarchive : words.archive, icon: 'archive', run: () => void archive(id, !archived) },
  ];
  return items.filter((it) => it !== false);
}

/** Opens the menu of a chat's row. */
export function chatMenu(chat: ChatView, at: MouseEvent | HTMLElement): void {
  menu.show(at, { label: late().folders.actions(session.title(chat)), items: chatItems(chat, at) });
}

async function pin(id: number, on: boolean): Promise<void> {
  const { pins } = arranged;
  if (on && pins.length >= MOST_PINS) notices.tell(late().folders.tooManyPins);
  // The one that was pinned last stands first.
  else await attempt(() => session.client.setItem('pin', id, on ? { order: (pins[0]?.[1] ?? MIDDLE) - 1 } : undefined));
}

type Place = readonly [chatId: number, order: number];

/** Two pinned chats change their places, on all devices at once. */
async function swap(a: Place | undefined, b: Place | undefined): Promise<void> {
  if (!a || !b) return;
  await attempt(() =>
    session.client.setItems([
      { kind: 'pin', chat_id: a[0], value: { order: b[1] } },
      { kind: 'pin', chat_id: b[0], value: { order: a[1] } },
    ]),
  );
}

const mute = (id: number, value: Mute | undefined): Promise<boolean> => attempt(() => session.client.setItem('mute', id, value));

/** A muted chat tells of mentions all the same, or no longer; it stays muted for as long as it was. */
function hear(id: number, on: boolean): Promise<boolean> {
  const { mentions: _, ...value } = session.items('mute').find(({ chat_id }) => chat_id === id)?.value ?? {};
  return mute(id, on ? { ...value, mentions: true } : value);
}

function muteMenu(id: number, at: MouseEvent | HTMLElement, butMentions: boolean): void {
  const words = late().folders;
  const spans = Object.entries(SPANS) as [keyof typeof SPANS, number | undefined][];
  menu.show(at, {
    label: butMentions ? words.muteButMentions : words.mute,
    items: spans.map(([span, lasts]) => ({
      label: words.spans[span],
      icon: lasts === undefined ? 'bellOff' : 'clock',
      run: () => void mute(id, { ...(lasts !== undefined && { until: new Date(Date.now() + lasts).toISOString() }), ...(butMentions && { mentions: true }) }),
    })),
  });
}

/** A chat that is put away is pinned no longer: it would come back to another place than it had. */
async function archive(id: number, on: boolean): Promise<void> {
  const pinned = on ? arranged.pins.find(([each]) => each === id) : undefined;
  const put = (away: boolean): Promise<boolean> => {
    const pin = pinned && { kind: 'pin' as const, chat_id: id, ...(!away && { value: { order: pinned[1] } }) };
    return attempt(() => session.client.setItems([{ kind: 'archive', chat_id: id, ...(away && { value: {} }) }, ...(pin ? [pin] : [])]));
  };
  if (!(await put(on))) return;
  notices.tell(on ? late().folders.archived : late().folders.unarchived, { label: late().folders.undo, run: () => void put(!on) });
}

function folderMenu(chat: ChatView, at: MouseEvent | HTMLElement): void {
  menu.show(at, {
    label: late().folders.addTo,
    items: arranged.folders.map((tab) => {
      const inside = arranged.holds(tab.folder, chat);
      const label = folderTitle(tab.folder);
      return { label: inside ? late().folders.takeOut(label) : label, icon: inside ? 'check' : 'plus', run: () => void put(tab, chat, !inside) };
    }),
  });
}

export const folderTitle = ({ icon, name }: Folder): string => (icon === undefined ? name : `${icon} ${name}`);

/** Puts a chat into a folder, or takes it out, whatever the folder's rules say of it. */
async function put({ id, folder }: FolderTab, chat: ChatView, inside: boolean): Promise<void> {
  const others = (list: readonly number[] | undefined): number[] => (list ?? []).filter((each) => each !== chat.id);
  const plain: Folder = { ...folder, chats: others(folder.chats), without: others(folder.without) };
  // By its rules alone it may be so already.
  if (arranged.holds(plain, chat) !== inside) (inside ? plain.chats : (plain.without ??= [])).push(chat.id);
  await attempt(() => session.client.setItem('folder', id, plain));
}
