import { describe, expect, it } from 'vitest';
import { Seen } from './seen';

describe('how far a chat was looked at', () => {
  it('goes on with what stands on the screen, from the first unread one', () => {
    const seen = new Seen(10);
    expect([seen.look(9, 20), seen.to]).toEqual([true, 20]);
    expect([seen.look(15, 34), seen.to]).toEqual([true, 34]);
    // A person scrolls faster than one looks: what they pulled past themselves was passed over by their own will.
    expect([seen.look(60, 80), seen.to]).toEqual([true, 80]);
    expect([seen.look(5, 12), seen.to]).toEqual([true, 80]);
  });

  it('stays where it is at a place that was reached by the page itself', () => {
    const seen = new Seen(0);
    expect([seen.look(71, 100), seen.to]).toEqual([false, 0]);
    seen.look(60, 90);
    expect(seen.to).toBe(0);
    // Until the person has come to the first unread one.
    expect([seen.look(1, 20), seen.to]).toEqual([true, 20]);
  });

  it('ends at a jump, and at a burst that scrolls by', () => {
    const seen = new Seen(10);
    seen.look(5, 20);
    seen.moved();
    expect([seen.look(90, 100), seen.to]).toEqual([false, 20]);
    expect([seen.look(15, 30), seen.to]).toEqual([true, 30]);
  });

  it('goes on where another device has read, and where the person wanted to be', () => {
    const seen = new Seen(0);
    seen.known(70);
    expect([seen.look(71, 100), seen.to]).toEqual([true, 100]);
    seen.moved();
    seen.look(190, 200);
    seen.known(199);
    seen.look(190, 200);
    expect(seen.to).toBe(200);
    seen.known(3);
    expect(seen.to).toBe(200);
  });
});
