import type { Comments, Forwarded, LinkPreview, Message, MessageView, Outgoing, Quote, SendState, ServiceAction } from '@chapar/client';
import { pendingBodies } from '../media/shapes';
import { startOfDay } from '../time/format';
import { ALBUM, kindOf, type AnyBody, type Kind, type Words } from './bodies';

/** How far a message of one's own has come. */
export type SendMark = 'waiting' | 'sent' | 'read' | 'failed';

/** A message as the screen shows it, stored or still on its way: one shape, so that it keeps its element when it is stored. */
export interface Shown {
  kind: 'message';
  /** The same before and after it is stored. */
  key: string;
  /** Absent while it is on its way. */
  seq: number | undefined;
  clientId: string;
  sender: number;
  own: boolean;
  /** What its kind of body allows. */
  body: Kind;
  /** The body itself. */
  content: AnyBody;
  words: Words | undefined;
  at: Date;
  edited: boolean;
  replyTo: number | undefined;
  /** Which words of that it is about, if of some. */
  quote: Quote | undefined;
  /** Where it was forwarded from, if it was. */
  forwarded: Forwarded | undefined;
  /** A post that its author has signed. */
  signed: boolean;
  /** Sent without a sound. */
  silent: boolean;
  /** What stands behind a link in it. */
  preview: LinkPreview | undefined;
  /** Of a channel's post: the comments on it. */
  comments: Comments | undefined;
  /** In a group: the message with which its thread begins, itself or another one. */
  thread: number | undefined;
  reactions: readonly { emoji: string; count: number }[];
  myReaction: string | undefined;
  /** Of a post in a channel: how many have seen it. */
  views: number | undefined;
  mark: SendMark | undefined;
  /** Whether it can still be taken back: it was never written to a connection, or failed. */
  discardable: boolean;
  /** Why it will never be taken: the server's code. */
  failure: string | undefined;
  /** How it stands on its way. */
  sending: SendState | undefined;
  /** Pictures that were sent together stand together: all of them, this one first. */
  album: readonly Shown[] | undefined;
  /** Which message of an album on its way it is. */
  part: number;
  /** What it was made of. */
  source: MessageView | Outgoing['item'];
  /** The first and the last of a run of one person's messages. */
  first: boolean;
  last: boolean;
}

export type Item =
  | { kind: 'day'; key: string; at: Date }
  | { kind: 'unread'; key: string }
  | { kind: 'service'; key: string; seq: number; sender: number; action: ServiceAction; at: Date }
  | Shown;

export interface ItemsInput {
  rows: readonly MessageView[];
  /** What is on its way; shown only where the rows reach the chat's end. */
  outgoing: readonly Outgoing[];
  me: number;
  othersRead: number;
  /** The first message that was unread when the chat was opened. */
  unreadFrom: number | undefined;
}

/** Messages of one person that follow each other within this time stand together, in milliseconds. */
const TOGETHER = 5 * 60_000;

/**
 * Makes items one time after the other. Of what has not changed since the last time the same object is given again: its
 * bubble has nothing to look at then, and of a long chat only what is new costs anything.
 */
export function itemMaker(): (input: ItemsInput) => Item[] {
  let kept = new Map<string, Item>();
  const rows = new WeakMap<MessageView, Shown>();
  return (input) => {
    const items = toItems(input, rows).map((item) => {
      const before = kept.get(item.key);
      return before && (before === item || same(before, item)) ? before : item;
    });
    kept = new Map(items.map((item) => [item.key, item]));
    return items;
  };
}

/** Whether two items of one key show the same. Messages are replaced as a whole, so that their parts can be compared as they are. */
function same(a: Item, b: Item): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind !== 'message' || b.kind !== 'message') return a.kind !== 'service' || (b.kind === 'service' && a.action === b.action);
  return (
    a.source === b.source && a.seq === b.seq && a.own === b.own && a.mark === b.mark && a.failure === b.failure && a.sending === b.sending && sameAlbum(a, b) && a.discardable === b.discardable && a.first === b.first && a.last === b.last
  );
}

function sameAlbum(a: Shown, b: Shown): boolean {
  return a.album?.length === b.album?.length && (a.album ?? []).every((it, at) => it.source === b.album?.[at]?.source && it.sending === b.album[at].sending && it.mark === b.album[at].mark);
}

/** The last message of what stands together. */
export const lastSeq = (item: Item): number | undefined => (item.kind === 'message' ? (item.album?.at(-1)?.seq ?? item.seq) : 'seq' in item ? item.seq : undefined);

/** Whether a message is shown by an item. */
export const holds = (item: Item, seq: number): boolean => 'seq' in item && (item.seq === seq || (item.kind === 'message' && item.album?.some((it) => it.seq === seq) === true));

/** The messages of which it is made: one, or those of an album. */
export const seqsOf = ({ album, seq }: Shown): number[] => album?.flatMap((each) => each.seq ?? []) ?? (seq === undefined ? [] : [seq]);

const albumOf = ({ content }: Shown): string | undefined => ((content.kind === 'photo' || content.kind === 'video') && 'album' in content && typeof content.album === 'string' ? content.album : undefined);

/** Puts the pictures of one album into one item, where they follow each other. */
function together(items: Item[]): Item[] {
  const out: Item[] = [];
  for (const item of items) {
    const before = out.at(-1);
    const album = item.kind === 'message' && item.body.deletes ? albumOf(item) : undefined;
    if (item.kind === 'message' && before?.kind === 'message' && album !== undefined && before.sender === item.sender && albumOf(before) === album) {
      const all = [...(before.album ?? [before]), item];
      out[out.length - 1] = asAlbum(before, all);
    } else out.push(item);
  }
  return out;
}

function asAlbum(first: Shown, all: readonly Shown[]): Shown {
  const words = all.find((it) => it.words)?.words;
  return { ...first, album: all, body: ALBUM, words, last: all.at(-1)?.last ?? first.last };
}

/** The shortest day, where clocks are put forward, in milliseconds. */
const SHORTEST_DAY = 23 * 60 * 60_000;

/**
 * Puts separators between the days and before the unread, and groups what one person wrote in one go. In `known` it keeps what
 * it made of each row: the same is taken the next time.
 */
export function toItems({ rows, outgoing, me, othersRead, unreadFrom }: ItemsInput, known = new WeakMap<MessageView, Shown>()): Item[] {
  const items: Item[] = [];
  /** Which of them go on a run of one person's messages. */
  const goesOn = new Set<Item>();
  let day = NaN;
  let before: Shown | undefined;
  let unread = false;
  const put = (item: Item, at: Date): void => {
    const time = at.getTime();
    if (!(time >= day && time < day + SHORTEST_DAY)) {
      const today = startOfDay(at).getTime();
      if (today !== day) {
        day = today;
        before = undefined;
        items.push({ kind: 'day', key: `day:${today}`, at });
      }
    }
    if ('seq' in item && item.seq !== undefined && item.seq === unreadFrom) unread = true;
    // What one wrote oneself before the first of it is not new to one.
    if (unread && 'sender' in item && item.sender !== me) {
      unread = false;
      before = undefined;
      items.push({ kind: 'unread', key: 'unread' });
    }
    if (item.kind !== 'message') before = undefined;
    else {
      if (before?.sender === item.sender && time - before.at.getTime() <= TOGETHER) goesOn.add(item);
      before = item;
    }
    items.push(item);
  };
  const stored = new Set<string>();
  for (const view of rows) {
    const { message } = view;
    if (outgoing.length > 0 && message.sender === me) stored.add(message.client_id);
    if (message.body.kind === 'service' && 'action' in message.body) {
      const action = message.body.action as ServiceAction;
      const at = new Date(message.sent_at);
      put({ kind: 'service', key: `s:${message.seq}`, seq: message.seq, sender: message.sender, action, at }, at);
    } else {
      const mark = markOf(message, me, othersRead);
      const last = known.get(view);
      const shown = last && last.own === (message.sender === me) && last.mark === mark ? last : shownRow(view, me, mark);
      put(shown, shown.at);
    }
  }
  for (const out of outgoing) if (!stored.has(out.item.client_id)) put(shownOutgoing(out, me), new Date(out.item.at));
  return together(items.map((item, at) => {
    if (item.kind !== 'message') return item;
    const next = items[at + 1];
    const [first, last] = [!goesOn.has(item), next === undefined || !goesOn.has(next)];
    const shown = item.first === first && item.last === last ? item : { ...item, first, last };
    if ('message' in shown.source) known.set(shown.source, shown);
    return shown;
  }));
}

const markOf = ({ seq, sender, body }: Message, me: number, othersRead: number): SendMark | undefined =>
  sender === me && body.kind !== 'deleted' ? (seq <= othersRead ? 'read' : 'sent') : undefined;

function shownRow(view: MessageView, me: number, mark: SendMark | undefined): Shown {
  const { message, myReaction } = view;
  return {
    kind: 'message',
    key: `${message.sender}:${message.client_id}`,
    seq: message.seq,
    clientId: message.client_id,
    sender: message.sender,
    own: message.sender === me,
    ...drawn(message.body),
    at: new Date(message.sent_at),
    edited: message.edited_at !== undefined,
    replyTo: message.reply_to,
    quote: message.quote,
    forwarded: message.forwarded,
    signed: message.signed === true,
    silent: message.silent === true,
    preview: message.preview,
    comments: message.comments,
    thread: message.thread ?? (message.post === undefined ? undefined : message.seq),
    reactions: message.reactions ?? [],
    myReaction,
    views: message.views,
    mark,
    discardable: false,
    failure: undefined,
    sending: undefined,
    album: undefined,
    part: 0,
    source: view,
    first: true,
    last: true,
  };
}

function shownOutgoing(out: Outgoing, me: number): Shown {
  const bodies = pendingBodies(out.item);
  const [first, ...rest] = bodies.map((body, part) => shownPart(out, body, part, me));
  return rest.length > 0 && first ? asAlbum(first, [first, ...rest]) : (first as Shown);
}

function shownPart({ item, state }: Outgoing, body: AnyBody, part: number, me: number): Shown {
  const clientId = item.rest?.[part - 1]?.client_id ?? item.client_id;
  return {
    kind: 'message',
    key: `${me}:${clientId}`,
    seq: state.state === 'sent' ? state.seq + part : undefined,
    clientId,
    sender: me,
    own: true,
    ...drawn(body),
    at: new Date(item.at),
    edited: false,
    replyTo: item.reply_to,
    quote: item.quote,
    forwarded: item.forward?.origin,
    signed: false,
    silent: item.silent === true,
    preview: item.preview,
    comments: undefined,
    thread: item.thread,
    reactions: [],
    myReaction: undefined,
    views: undefined,
    mark: state.state === 'uploading' ? 'waiting' : state.state,
    discardable: state.state === 'failed' || state.state === 'uploading' || (state.state === 'waiting' && !state.written),
    failure: state.state === 'failed' ? state.error.code : undefined,
    sending: item.files ? state : undefined,
    album: undefined,
    part,
    source: item,
    first: true,
    last: true,
  };
}

function drawn(content: AnyBody): Pick<Shown, 'body' | 'content' | 'words'> {
  const body = kindOf(content);
  return { body, content, words: body.words?.(content) };
}
