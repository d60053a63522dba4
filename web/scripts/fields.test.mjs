import { expect, test } from 'vitest';
import { wrapped } from './fields.mjs';

test.each([
  ['a value with brackets', 'class A{x=a[(0)]}', 'class A{x=(()=>a[(0)])()}'],
  ['a private one', 'class A{#x=f(1);y=2}', 'class A{#x=(()=>f(1))();y=2}'],
  ['a static one', 'class A{static x=f()}', 'class A{static x=(()=>f())()}'],
  ['an object', 'class A{x={a:f()}}', 'class A{x=(()=>({a:f()}))()}'],
  ['several', 'class A{x=f();y=g()}class B{z=h()}', 'class A{x=(()=>f())();y=(()=>g())()}class B{z=(()=>h())()}'],
  ['one within another', 'class A{x=f(class{y=g()});z=h()}', 'class A{x=(()=>f(class{y=g()}))();z=(()=>h())()}'],
  ['letters of two units before it', 'const a="😀";class A{x=f(a)}', 'const a="😀";class A{x=(()=>f(a))()}'],
])('it is put into a function: %s', (_what, code, expected) => {
  expect(wrapped(code, 'a.js')).toBe(expected);
});

test.each(['class A{x=1;#y;z=new Map;w=[];v=a.b}', 'class A{x=()=>f(1);y=function(){g()}}', 'const a={x:f()};class A{m(){return f()}}'])('nothing else is touched: %s', (code) => {
  expect(wrapped(code, 'a.js')).toBe(code);
});

test.each(['class A{static{f()}}', 'class A{static name="a"}', 'class A{static length=f()}'])('what the oldest browsers cannot do ends the build: %s', (code) => {
  expect(() => wrapped(code, 'a.js')).toThrow('a.js');
});

test('what was put in still means the same', () => {
  const code = 'return (()=>{const a=["x"];class A{#p=a[(0)];q=(this.r=1,this.#p);get(){return this.#p+this.q+this.r}}return new A().get()})()';
  const whole = wrapped(`function run(){${code}}`, 'a.js');
  expect(whole).not.toContain('#p=a[');
  expect(new Function(`${whole};return run()`)()).toBe('xx1');
});
