import { expect, it } from 'vitest';
import { onReplacing } from './replacing';

class Worker extends EventTarget {
  constructor(public state: string) {
    super();
  }
  become(state: string): void {
    this.state = state;
    this.dispatchEvent(new Event('statechange'));
  }
}
class Registration extends EventTarget {
  installing: Worker | null = null;
  waiting: Worker | null = null;
  active: Worker | null = null;
  find(): Worker {
    this.installing = new Worker('installing');
    this.dispatchEvent(new Event('updatefound'));
    return this.installing;
  }
}
const listen = (registration: Registration): unknown[] => {
  const told: unknown[] = [];
  onReplacing(registration as unknown as ServiceWorkerRegistration, (it) => told.push(it));
  return told;
};

it('says nothing of the first worker, though it has the page before that is told', () => {
  const registration = new Registration();
  const told = listen(registration);
  const first = registration.find();
  // In the order of WebKit: active when its page hears that it is installed.
  registration.active = first;
  for (const state of ['installed', 'activating', 'activated']) first.become(state);
  expect(told).toEqual([]);
});

it('tells of the next one when it is installed, and of one that waited before the page came', () => {
  const registration = new Registration();
  registration.active = new Worker('activated');
  const told = listen(registration);
  const next = registration.find();
  expect(told).toEqual([]);
  for (const state of ['installed', 'activating', 'activated']) next.become(state);
  expect(told).toEqual([next]);
  registration.waiting = new Worker('installed');
  expect(listen(registration)).toEqual([registration.waiting]);
});
