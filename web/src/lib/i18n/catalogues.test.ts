import { describe, expect, it } from 'vitest';
import ar from './ar';
import en from './en';
import fa from './fa';
import lateAr from './late/ar';
import lateEn from './late/en';
import lateFa from './late/fa';

describe('what is asked before something is deleted', () => {
  it('counts as the language does', () => {
    expect([1, 2, 3, 11].map(ar.chat.deleteQuestion)).toEqual(['أتحذف هذه الرسالة؟', 'أتحذف رسالتين؟', 'أتحذف ٣ رسائل؟', 'أتحذف ١١ رسالة؟']);
    expect([1, 2].map(fa.chat.deleteQuestion)).toEqual(['این پیام حذف شود؟', '۲ پیام حذف شوند؟']);
  });
});

describe('all words', () => {
  const texts = (of: object, where: string): [string, string][] =>
    Object.entries(of).flatMap(([key, value]): [string, string][] => {
      const at = `${where}.${key}`;
      if (typeof value === 'string') return [[at, value]];
      if (typeof value === 'function') return [[at, String((value as (...given: unknown[]) => unknown)(2, 'x'))]];
      return texts(value as object, at);
    });

  it('have no blank before a sign that ends something, none twice, none at the ends, and none is empty', () => {
    for (const [name, catalogue] of Object.entries({ fa, en, ar, lateFa, lateEn, lateAr })) {
      for (const [at, text] of texts(catalogue, name)) {
        if (at.endsWith('common.and')) continue;
        expect(text.trim(), at).not.toBe('');
        expect(text, at).not.toMatch(/^\s|\s$| {2}|\s[؟?!،,;؛.…](\s|$)/u);
      }
    }
  });

  it('are buttons whose name holds what is written on them', () => {
    for (const { call } of [lateFa, lateEn, lateAr]) {
      const holds = (name: string, short: string): void => expect(name.toLowerCase()).toContain(short.toLowerCase());
      for (const name of [call.mute, call.unmute]) holds(name, call.short.microphone);
      for (const name of [call.videoOn, call.videoOff]) holds(name, call.short.camera);
      holds(call.devices, call.short.speaker);
      holds(call.hangUp, call.short.end);
    }
  });
});
