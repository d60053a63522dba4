import type { ChatView, Message } from '@chapar/client';
import { sentence, t, type Catalogue } from '../i18n/index.svelte';
import { session, textOf } from '../state/session.svelte';
import { copyText } from '../ui/copy';
import type { IconName } from '../ui/icons';
import type { MenuItem } from '../ui/menu.svelte';
import { now } from '../media/now.svelte';
import { notices } from '../ui/notices.svelte';
import { kindOf } from './bodies';
import type { Feed } from './feed.svelte';
import { seqsOf, type Shown } from './items';
import { standingOf } from './standing.svelte';

/** What may be known of a message before something is done with it. */
interface Target {
  shown: Shown;
  seq: number | undefined;
  /** Its words, if it has any. */
  text: string | undefined;
  /** Stored at the server, and not merely on its way. */
  stored: boolean;
}

interface Action {
  label: (words: Catalogue) => string;
  icon: IconName;
  turns?: boolean;
  danger?: boolean;
  /** Keys by their place, so that they work under a Persian layout too. */
  codes?: readonly string[];
  /** Only by key: the menu offers it in another form. */
  hidden?: boolean;
  may: (target: Target, on: MessageActions) => boolean;
  run: (target: Target, on: MessageActions) => unknown;
}

/** Everything that can be done with one message: the menu and the keys both read this table, in this order. */
const ACTIONS: readonly Action[] = [
  {
    label: (words) => words.chat.resend,
    icon: 'send',
    turns: true,
    may: ({ shown }) => shown.mark === 'failed',
    run: ({ shown }) => session.client.retry(shown.clientId),
  },
  {
    label: (words) => words.chat.reply,
    icon: 'reply',
    turns: true,
    codes: ['KeyR'],
    may: ({ stored, shown }, on) => stored && shown.body.answers && on.writes,
    run: ({ seq }, on) => (on.feed.replyTo = seq),
  },
  {
    label: (words) => words.chat.quote,
    icon: 'quote',
    codes: ['KeyQ'],
    may: ({ stored, shown, text }, on) => stored && shown.body.answers && on.writes && text !== undefined && text.trim() !== '',
    run: ({ shown, text }, on) => on.quote(shown, text ?? ''),
  },
  {
    label: (words) => words.chat.forward,
    icon: 'onward',
    turns: true,
    codes: ['KeyF'],
    may: ({ stored, shown }, on) => stored && shown.body.answers && !shown.body.stays && !on.keeps,
    run: ({ shown }, on) => on.forward(seqsOf(shown)),
  },
  {
    // In the place of what is not there: why it is not.
    label: (words) => words.chat.keeps,
    icon: 'lock',
    codes: ['KeyF', 'KeyC'],
    may: ({ stored, shown }, on) => stored && shown.body.answers && on.keeps,
    run: () => notices.tell(t().errors.no_forwarding),
  },
  {
    label: (words) => words.common.edit,
    icon: 'edit',
    codes: ['KeyE'],
    // What somebody else has said stays as it was said.
    may: ({ stored, shown }, on) => stored && shown.body.edits && shown.own && on.edits && shown.forwarded === undefined,
    run: ({ seq }, on) => (on.feed.editing = seq),
  },
  {
    label: (words) => words.chat.copyText,
    icon: 'copy',
    codes: ['KeyC'],
    may: ({ text }, on) => text !== undefined && !on.keeps,
    run: ({ text }) => copyText(text ?? ''),
  },
  {
    label: (words) => words.chat.pin,
    icon: 'pin',
    may: ({ stored, shown, seq }, on) => stored && shown.body.deletes && on.pins && !on.isPinned(seq as number),
    run: ({ seq }, on) => on.pin(seq as number, true),
  },
  {
    label: (words) => words.chat.unpin,
    icon: 'pin',
    may: ({ stored, seq }, on) => stored && on.pins && on.isPinned(seq as number),
    run: ({ seq }, on) => on.pin(seq as number, false),
  },
  {
    label: (words) => words.chat.audience,
    icon: 'people',
    may: ({ stored, shown }, on) => stored && shown.body.reacts && on.showsAudience(shown),
    run: ({ shown }, on) => on.audience(shown),
  },
  {
    label: (words) => words.chat.closePoll,
    icon: 'poll',
    may: ({ stored, shown }) => stored && shown.own && shown.content.kind === 'poll' && !('closed' in shown.content && shown.content.closed === true),
    run: ({ seq }, on) => on.closePoll(seq as number),
  },
  {
    label: (words) => words.chat.select,
    icon: 'select',
    codes: ['KeyX', 'Space'],
    may: ({ stored }) => stored,
    run: ({ shown }, on) => on.select(seqsOf(shown)),
  },
  {
    label: (words) => words.chat.react,
    icon: 'smile',
    codes: ['KeyM'],
    hidden: true,
    may: ({ stored, shown }, on) => stored && shown.body.reacts && on.reacts,
    run: ({ shown }, on) => on.pickReaction(shown),
  },
  {
    // One that was written may be stored already, though nothing has come back: it cannot be taken out of the way here.
    label: (words) => words.chat.discard,
    icon: 'trash',
    danger: true,
    may: ({ shown, stored }) => !stored && shown.discardable,
    run: ({ shown }, on) => on.discard(shown),
  },
  {
    label: (words) => words.common.delete,
    icon: 'trash',
    danger: true,
    codes: ['Delete'],
    // For oneself one may delete anything; a tombstone too.
    may: ({ stored }) => stored,
    // An album is one thing to whoever sees it.
    run: ({ shown }, on) => on.remove(seqsOf(shown)),
  },
];

/** What can be done with the messages of an open chat. */
export class MessageActions {
  readonly #chat: () => ChatView;
  readonly feed: Feed;
  readonly pickReaction: (shown: Shown) => void;

  constructor(chat: () => ChatView, feed: Feed, pickReaction: (shown: Shown) => void) {
    this.#chat = chat;
    this.feed = feed;
    this.pickReaction = pickReaction;
  }

  get writes(): boolean {
    const chat = this.#chat();
    return !chat.request && standingOf(chat).rights.has('write');
  }

  /** Whoever was an admin of a channel when it was posted still answers for it. */
  get edits(): boolean {
    return this.writes || this.#chat().info.kind === 'channel';
  }

  /** To react is to answer, and tells a stranger that one is there. */
  get reacts(): boolean {
    const chat = this.#chat();
    return !chat.request && standingOf(chat).rights.has('react');
  }

  get pins(): boolean {
    const chat = this.#chat();
    return !chat.request && standingOf(chat).rights.has('pin');
  }

  /** Nothing of it goes on elsewhere. */
  get keeps(): boolean {
    return this.#chat().info.settings?.no_forwarding === true;
  }

  isPinned(seq: number): boolean {
    return this.#chat().info.pinned?.includes(seq) ?? false;
  }

  pin(seq: number, pinned: boolean): void {
    const { client } = session;
    const { id } = this.#chat();
    (pinned ? client.pinMessage(id, seq) : client.unpinMessage(id, seq)).catch((error: unknown) => notices.tell(sentence(error)));
  }

  /** Readers of a channel do not learn of each other; of two people who write to each other one sees the other's ticks. */
  showsAudience(shown: Shown): boolean {
    const { kind } = this.#chat().info;
    return kind !== 'channel' && (shown.reactions.length > 0 || (kind === 'group' && shown.own));
  }

  audience(shown: Shown): void {
    const { id, info } = this.#chat();
    if (shown.seq !== undefined) now.audience = { chatId: id, seq: shown.seq, readable: info.kind === 'group', counts: shown.reactions };
  }

  async closePoll(seq: number): Promise<void> {
    const words = t();
    const sure = await notices.ask({ title: words.chat.closePollQuestion, text: words.chat.closePollLead, yes: words.chat.closePoll, danger: false });
    if (sure) await attempt(session.client.closePoll(this.#chat().id, seq));
  }

  get moderates(): boolean {
    const chat = this.#chat();
    return chat.info.kind !== 'direct' && standingOf(chat).rights.has('delete');
  }

  items(shown: Shown): MenuItem[] {
    const target = targetOf(shown);
    return ACTIONS.filter((each) => each.hidden !== true && each.may(target, this)).map((each) => ({
      label: each.label(t()),
      icon: each.icon,
      turns: each.turns ?? false,
      danger: each.danger ?? false,
      run: () => void each.run(target, this),
    }));
  }

  key(event: KeyboardEvent, shown: Shown): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = targetOf(shown);
    const action = ACTIONS.find((each) => each.codes?.includes(event.code) === true && each.may(target, this));
    if (!action) return;
    event.preventDefault();
    void action.run(target, this);
  }

  react(shown: Shown, emoji: string): void {
    if (shown.seq === undefined) return;
    void attempt(session.client.react(this.#chat().id, shown.seq, shown.myReaction === emoji ? undefined : emoji));
  }

  select(seqs: readonly number[]): void {
    this.feed.selecting = true;
    this.feed.toggle(seqs);
  }

  stopSelecting(): void {
    this.feed.selected.clear();
    this.feed.selecting = false;
  }

  /** Whether this person may delete all of them for everybody. */
  mayRemove(seqs: readonly number[]): boolean {
    const rows = seqs.map((each) => this.feed.row(each)?.message);
    return rows.every((message) => message !== undefined && kindOf(message.body).deletes && (this.moderates || message.sender === session.me?.id));
  }

  /** Asks which words. What of them is selected already is chosen. */
  quote(shown: Shown, text: string): void {
    if (shown.seq === undefined) return;
    const chosen = getSelection()?.toString() ?? '';
    const at = chosen.trim() === '' ? -1 : text.indexOf(chosen);
    now.quoting = { chatId: this.#chat().id, seq: shown.seq, text, from: Math.max(at, 0), to: at < 0 ? 0 : at + chosen.length };
  }

  /** Asks for whom. */
  remove(seqs: readonly number[]): void {
    now.deleting = { chatId: this.#chat().id, seqs, all: this.mayRemove(seqs) };
  }

  /** Whether all that is selected can go on elsewhere. */
  mayForward(seqs: readonly number[]): boolean {
    return !this.keeps && this.#forwardable(seqs).length === seqs.length && seqs.length > 0;
  }

  /** Asks whereto. */
  forward(seqs: readonly number[]): void {
    const messages = this.#forwardable(seqs);
    if (messages.length > 0) now.forwarding = { chatId: this.#chat().id, messages };
    this.stopSelecting();
  }

  #forwardable(seqs: readonly number[]): Message[] {
    const rows = seqs.map((each) => this.feed.row(each)?.message);
    return rows.filter((message) => message !== undefined).filter(({ body }) => kindOf(body).answers && !kindOf(body).stays);
  }

  copy(seqs: readonly number[]): void {
    const rows = seqs.map((each) => this.feed.row(each)).filter((row) => row !== undefined);
    void copyText(rows.map((row) => textOf(row.message) ?? '').filter(Boolean).join('\n'));
    this.stopSelecting();
  }

  /** Takes a message back that has not gone out. What may be at the server already is deleted there, when it has come. */
  async discard(shown: Shown): Promise<void> {
    if (!(await session.client.cancel(shown.clientId))) notices.tell(t().chat.tooLateToDiscard);
  }
}

function targetOf(shown: Shown): Target {
  return {
    shown,
    seq: shown.seq,
    text: shown.words?.text,
    stored: shown.seq !== undefined && shown.mark !== 'failed' && shown.mark !== 'waiting',
  };
}

async function attempt(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    notices.tell(sentence(error));
  }
}
