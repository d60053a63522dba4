import type { Entity, Message, NewBody, ServiceAction } from '@chapar/client';
import { toPreview } from '@chapar/client/text';
import type { Component } from 'svelte';
import type { Catalogue } from '../i18n/index.svelte';
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
  component?(): Promise<{ default: Component<{ body: AnyBody }> }>;
  /** How high that is, in rem, before it is there: what comes later moves nothing. */
  height?(body: AnyBody): number;
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

const KINDS: Readonly<Record<string, Kind | undefined>> = { text: TEXT, deleted: DELETED, service: SERVICE };

/** What is known of a body's kind. One that lacks what its kind needs is of a kind that is not known. */
export function kindOf(body: AnyBody): Kind {
  const kind = Object.hasOwn(KINDS, body.kind) ? KINDS[body.kind] : undefined;
  return kind === undefined || (kind === TEXT && wordsOfText(body) === undefined) ? UNKNOWN : kind;
}

function wordsOfText(body: AnyBody): Words | undefined {
  if (!('text' in body) || typeof body.text !== 'string') return undefined;
  const entities = 'entities' in body && Array.isArray(body.entities) ? (body.entities as Entity[]) : [];
  return { text: body.text, entities };
}
