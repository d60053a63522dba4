import { describe, expect, it } from 'vitest';
import { kindOf, type AnyBody, type Speaker } from './bodies';
import fa from '../i18n/fa';

const of = (body: object): ReturnType<typeof kindOf> => kindOf(body as AnyBody);
const by: Speaker = { words: fa, service: () => 'a service' };
const can = (body: object): string => {
  const { answers, reacts, edits, deletes } = of(body);
  return Object.entries({ answers, reacts, edits, deletes }).filter(([, may]) => may).map(([name]) => name).join(' ');
};

describe('bodies', () => {
  it.each([
    [{ kind: 'text', text: 'سلام' }, 'سلام', 'سلام', 'answers reacts edits deletes'],
    [{ kind: 'text', text: 'a secret', entities: [{ offset: 2, length: 6, type: 'spoiler' }] }, 'a secret', undefined, 'answers reacts edits deletes'],
    [{ kind: 'deleted' }, undefined, fa.chat.deleted, ''],
    [{ kind: 'text' }, undefined, fa.chat.unsupported, 'deletes'],
    [{ kind: 'text', text: 7 }, undefined, fa.chat.unsupported, 'deletes'],
    [{ kind: 'poll', question: '?' }, undefined, fa.chat.unsupported, 'deletes'],
    [{ kind: 'constructor' }, undefined, fa.chat.unsupported, 'deletes'],
    [{ kind: 'toString', text: 'x' }, undefined, fa.chat.unsupported, 'deletes'],
    [{ kind: 'service' }, undefined, fa.service.other, ''],
    [{ kind: 'service', action: { type: 'left' } }, undefined, 'a service', ''],
    [{ kind: 'photo', file: { id: 'f', size: 1, mime: 'image/jpeg' }, width: 4, height: 3 }, undefined, fa.media.photo, 'answers reacts edits deletes'],
    [{ kind: 'photo', file: { id: 'f', size: 1, mime: 'image/jpeg' }, width: 4, height: 3, text: 'سلام' }, 'سلام', `${fa.media.photo}: سلام`, 'answers reacts edits deletes'],
    [{ kind: 'document', file: { id: 'f', size: 1, mime: 'application/pdf', name: 'a.pdf' } }, undefined, 'a.pdf', 'answers reacts edits deletes'],
    [{ kind: 'voice', file: { id: 'f', size: 1, mime: 'audio/ogg' }, duration_ms: 900 }, undefined, fa.media.voice, 'answers reacts edits deletes'],
    [{ kind: 'sticker', file: { id: 'f', size: 1, mime: 'image/webp' }, width: 4, height: 4, emoji: '😀' }, undefined, `😀 ${fa.media.sticker}`, 'answers reacts deletes'],
    [{ kind: 'location', latitude: 34.6, longitude: 50.9 }, undefined, fa.media.location, 'answers reacts deletes'],
    [{ kind: 'contact', name: 'Sara' }, undefined, `${fa.media.contact}: Sara`, 'answers reacts deletes'],
    [{ kind: 'poll', question: 'چای؟', options: [{ text: 'بله' }, { text: 'نه' }] }, undefined, `${fa.media.poll}: چای؟`, 'answers reacts deletes'],
    [{ kind: 'poll', question: '۲+۲؟', options: ['۳', '۴'], right: 1 }, undefined, `${fa.media.quiz}: ۲+۲؟`, 'answers reacts deletes'],
    [{ kind: 'poll', question: 'چای؟', options: [] }, undefined, fa.chat.unsupported, 'deletes'],
    [{ kind: 'photo', file: { id: 'f' } }, undefined, fa.chat.unsupported, 'deletes'],
    [{ kind: 'contact' }, undefined, fa.chat.unsupported, 'deletes'],
  ])('%o: its words, its line, and what can be done with it', (body, words, line, may) => {
    expect(of(body).words?.(body as AnyBody)?.text).toBe(words);
    if (line !== undefined) expect(of(body).line(body as AnyBody, by)).toBe(line);
    expect(can(body)).toBe(may);
  });

  it('do not give away in a line what is hidden', () => {
    const body = { kind: 'text', text: 'a secret', entities: [{ offset: 2, length: 6, type: 'spoiler' }] } as AnyBody;
    expect(kindOf(body).line(body, by)).not.toContain('secret');
  });
});
