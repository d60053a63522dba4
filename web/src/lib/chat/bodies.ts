import type { Entity, Message, NewBody, Poll, ServiceAction } from '@chapar/client';
import { toPreview } from '@chapar/client/text';
import type { Component } from 'svelte';
import type { Catalogue } from '../i18n/index.svelte';
import { boxOf, isMedia, type MediaBody, type PictureBody } from '../media/shapes';
import type { Shown } from './items';
import type { IconName } from '../ui/icons';

export type AnyBody = Message['body'] | NewBody;

export interface Words {
  readonly text: string;
  readonly entities: readonly Entity[];
}

/** With what a line is said. */
export interface Speaker {
  readonly words: Catalogue;
  service(action: ServiceAction): string;
}

/** Everything in which one kind of body differs from another. A new kind is a line in `KINDS`, and perhaps a component. */
export interface Kind {
  /** In one line, for lists, quotes and notifications. */
  line(body: AnyBody, by: Speaker): string;
  /** What somebody has written in it, if anything: it can be copied, and edited where `edits` says so. */
  words?(body: AnyBody): Words | undefined;
  /** Whether it can be answered and quoted, get reactions, be edited by whoever wrote it, be deleted. */
  readonly answers: boolean;
  readonly reacts: boolean;
  readonly edits: boolean;
  readonly deletes: boolean;
  /** Beside the line, where nothing else draws the body. */
  readonly icon: IconName;
  /** What draws it besides its words: loaded when the first one is shown. */
  component?(): Promise<{ default: Component<Drawn> }>;
  /** Its place before it is there: what comes later moves nothing. */
  box?(body: AnyBody, shown: Shown): Box;
  /** It goes up to the edge of the bubble. */
  flush?: boolean;
  /** It cannot be forwarded: it asks those of its chat. */
  stays?: boolean;
  /** It stands without a bubble around it. */
  bare?: boolean;
}

/** A place in the page: as wide in rem, where there is room, and as high, in rem or by the ratio of width to height. */
export interface Box {
  width: number;
  height?: number;
  ratio?: number;
}

/** What is given to whatever draws a body. */
export interface Drawn extends Record<string, unknown> {
  body: AnyBody;
  shown: Shown;
  chatId: number;
}

const TEXT: Kind = {
  line: (body) => {
    const { text, entities } = wordsOfText(body) ?? { text: '', entities: [] };
    return toPreview(text, entities);
  },
  words: wordsOfText,
  answers: true,
  reacts: true,
  edits: true,
  deletes: true,
  icon: 'type',
};

const DELETED: Kind = { line: (_, { words }) => words.chat.deleted, answers: false, reacts: false, edits: false, deletes: false, icon: 'trash' };

/** One that this version does not know: it is kept, and shown when there is a newer one. */
const UNKNOWN: Kind = { line: (_, { words }) => words.chat.unsupported, answers: false, reacts: false, edits: false, deletes: true, icon: 'alert' };

const SERVICE: Kind = {
  ...DELETED,
  line: (body, by) => ('action' in body ? by.service(body.action as ServiceAction) : by.words.service.other),
};

/** What is said of a file in one line: what it is, and what is written under it. */
const labelled = (label: (words: Catalogue, body: MediaBody) => string) => (body: AnyBody, { words }: Speaker): string => {
  const { text, entities } = wordsOfText(body) ?? { text: '', entities: [] };
  const first = label(words, body as MediaBody);
  return text === '' ? first : `${first}: ${toPreview(text, entities)}`;
};

const caption = (body: AnyBody): Words | undefined => {
  const words = wordsOfText(body);
  return words?.text ? words : undefined;
};

const FILE = { words: caption, answers: true, reacts: true, edits: true, deletes: true } as const;
const picture = (body: AnyBody): Box => boxOf((body as PictureBody).width, (body as PictureBody).height);
/** What has no words under it. */
const PLAIN = { answers: true, reacts: true, edits: false, deletes: true } as const;

const KINDS: Readonly<Record<string, Kind | undefined>> = {
  text: TEXT,
  deleted: DELETED,
  service: SERVICE,
  photo: { ...FILE, line: labelled((words) => words.media.photo), icon: 'image', component: () => import('../media/Photo.svelte'), box: picture, flush: true },
  video: { ...FILE, line: labelled((words) => words.media.video), icon: 'video', component: () => import('../media/Photo.svelte'), box: picture, flush: true },
  voice: { ...FILE, line: labelled((words) => words.media.voice), icon: 'mic', component: () => import('../media/Voice.svelte'), box: () => ({ width: 17, height: 3 }) },
  audio: { ...FILE, line: labelled((words, body) => ('title' in body && body.title) || body.file.name || words.media.audio), icon: 'music', component: () => import('../media/Voice.svelte'), box: () => ({ width: 17, height: 3.25 }) },
  document: { ...FILE, line: labelled((words, body) => body.file.name || words.media.document), icon: 'file', component: () => import('../media/Document.svelte'), box: () => ({ width: 17, height: 3.25 }) },
  round: { ...PLAIN, line: labelled((words) => words.media.round), icon: 'video', component: () => import('../media/Round.svelte'), box: () => ({ width: 13, ratio: 1 }), bare: true },
  sticker: { ...PLAIN, line: (body, { words }) => `${'emoji' in body && typeof body.emoji === 'string' ? `${body.emoji} ` : ''}${words.media.sticker}`, icon: 'smile', component: () => import('../media/Sticker.svelte'), box: () => ({ width: 11, ratio: 1 }), bare: true },
  location: { ...PLAIN, line: (_, { words }) => words.media.location, icon: 'pin', component: () => import('../media/Place.svelte'), box: () => ({ width: 17, height: 11 }) },
  poll: {
    ...PLAIN,
    line: (body, { words }) => `${(body as Poll).quiz || 'right' in body ? words.media.quiz : words.media.poll}: ${(body as Poll).question}`,
    icon: 'poll',
    stays: true,
    component: () => import('../polls/Poll.svelte'),
    // Question, kind, a line for each option and the sum.
    box: (body) => ({ width: 20, height: 6 + 2.875 * (body as Poll).options.length }),
  },
  contact: { ...PLAIN, line: (body, { words }) => `${words.media.contact}: ${'name' in body ? String(body.name) : ''}`, icon: 'person', component: () => import('../media/Place.svelte'), box: () => ({ width: 17, height: 3.25 }) },
};

/** Several pictures that were sent together: the words are those of the first that has any. */
export const ALBUM: Kind = { ...FILE, line: (_, { words }) => words.media.album, icon: 'image', component: () => import('../media/Album.svelte'), box: () => ({ width: 20, ratio: 1 }), flush: true };

/** What is known of a body's kind. One that lacks what its kind needs is of a kind that is not known. */
export function kindOf(body: AnyBody): Kind {
  const kind = Object.hasOwn(KINDS, body.kind) ? KINDS[body.kind] : undefined;
  return kind === undefined || !isWhole(body, kind) ? UNKNOWN : kind;
}

function isWhole(body: AnyBody, kind: Kind): boolean {
  if (kind === TEXT) return wordsOfText(body) !== undefined;
  if (body.kind === 'location') return typeof body.latitude === 'number' && typeof body.longitude === 'number';
  if (body.kind === 'poll') return 'question' in body && typeof body.question === 'string' && 'options' in body && Array.isArray(body.options) && body.options.length > 1;
  if (body.kind === 'contact') return typeof body.name === 'string';
  return kind === DELETED || kind === SERVICE || isMedia(body);
}

function wordsOfText(body: AnyBody): Words | undefined {
  if (!('text' in body) || typeof body.text !== 'string') return undefined;
  const entities = 'entities' in body && Array.isArray(body.entities) ? (body.entities as Entity[]) : [];
  return { text: body.text, entities };
}
