import { describe, expect, it } from 'vitest';
import { mark, typedBefore } from './mention-text';

const SARA = 7;
const userOf = (handle: string): number | undefined => (handle === 'sara' ? SARA : undefined);

describe('whom a text mentions', () => {
  it('is who is a member, in whatever case it was typed', () => {
    const { entities } = mark({ text: 'سلام @Sara، این @nobody است', entities: [] }, userOf);
    expect(entities).toEqual([{ offset: 5, length: 5, type: 'mention', user_id: SARA }]);
  });

  it('is nobody in code, in a link and in an address', () => {
    const text = '@sara a@sara.ir @sara';
    const { entities } = mark({ text, entities: [{ offset: 0, length: 5, type: 'code' }, { offset: 16, length: 5, type: 'link', url: 'https://a.ir' }] }, userOf);
    expect(entities.map(({ type }) => type)).toEqual(['code', 'link']);
  });

  it('stands among the other marks by its place, at most fifty times', () => {
    const marked = mark({ text: 'x @sara y', entities: [{ offset: 0, length: 9, type: 'bold' }, { offset: 8, length: 1, type: 'italic' }] }, userOf);
    expect(marked.entities.map(({ type }) => type)).toEqual(['bold', 'mention', 'italic']);
    expect(mark({ text: '@sara '.repeat(60), entities: [] }, userOf).entities).toHaveLength(50);
  });
});

describe('a name that is being typed', () => {
  it('begins with an at sign after a blank or a bracket, and may be of any letters', () => {
    expect(typedBefore('@', 1)).toBe('');
    expect(typedBefore('hi @sa', 6)).toBe('sa');
    const persian = 'سلام (@می\u200cن';
    expect(typedBefore(persian, persian.length)).toBe('می\u200cن');
    expect(typedBefore('hi @sa ra', 9)).toBeUndefined();
    expect(typedBefore('a@sara', 6)).toBeUndefined();
    expect(typedBefore('hi @sara', 2)).toBeUndefined();
  });
});
