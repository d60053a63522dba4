// Debian's own Firefox, and one person in it.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Bidi } from './bidi';
import { PASSWORD } from './people';
import { PATIENCE } from './stage';

const PROGRAM = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
/** Whether it is installed. */
export const hasFirefox = (): boolean => existsSync(PROGRAM);

/** A microphone that sounds, allowed; no requests of the browser's own. */
const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.autoplay.default': 0,
  'intl.accept_languages': 'en',
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

export class Firefox {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #bidi: Bidi;
  readonly #context: string;

  private constructor(process: ChildProcess, profile: string, bidi: Bidi, context: string) {
    this.#process = process;
    this.#profile = profile;
    this.#bidi = bidi;
    this.#context = context;
  }

  static async open(): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), 'chapar-firefox-'));
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    writeFileSync(join(profile, 'user.js'), lines.join('\n'));
    const child = spawn(PROGRAM, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const address = await new Promise<string>((resolve, reject) => {
      let said = '';
      const timer = setTimeout(() => reject(new Error(`Firefox does not begin: ${said}`)), 60_000);
      child.stderr!.on('data', (bytes: Buffer) => {
        said += bytes.toString();
        const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said)?.[1];
        if (!found) return;
        clearTimeout(timer);
        resolve(found);
      });
    });
    const bidi = await Bidi.open(`${address}/session`);
    await bidi.ask('session.new', { capabilities: {} });
    const { contexts } = await bidi.ask<{ contexts: { context: string }[] }>('browsingContext.getTree');
    return new Firefox(child, profile, bidi, contexts[0]!.context);
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    await this.#bidi.ask('browser.close').catch(() => {});
    this.#bidi.close();
    this.#process.kill();
    await gone;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  async goto(url: string): Promise<void> {
    await this.#bidi.ask('browsingContext.navigate', { context: this.#context, url, wait: 'complete' });
    await this.#bidi.ask('browsingContext.activate', { context: this.#context });
    // Without a window it has the focus never, and nothing would be read.
    await this.script('document.hasFocus = () => true;');
  }

  /** Runs a function in the page; what it takes and gives is JSON. */
  async run<T, A extends unknown[]>(what: (...given: A) => T | Promise<T>, ...given: A): Promise<T> {
    const expression = `(async () => JSON.stringify(await (${what.toString()})(...${JSON.stringify(given)})) ?? 'null')()`;
    const answer = await this.#bidi.ask<{ type: string; result?: { value: string }; exceptionDetails?: { text: string } }>('script.evaluate', {
      expression,
      target: { context: this.#context },
      awaitPromise: true,
      userActivation: true,
    });
    if (answer.type === 'exception') throw new Error(answer.exceptionDetails?.text);
    return JSON.parse(answer.result!.value) as T;
  }

  /** Runs a script in the page, whose policy lets no page do so itself. */
  async script(source: string): Promise<void> {
    await this.#bidi.ask('script.evaluate', { expression: `{${source}}`, target: { context: this.#context }, awaitPromise: false });
  }

  /** Waits until a function in the page gives something. */
  until<A extends unknown[]>(what: (...given: A) => unknown, ...given: A): Promise<void> {
    return expect.poll(() => this.run(what, ...given), { timeout: PATIENCE, interval: 100 }).toBeTruthy() as unknown as Promise<void>;
  }

  /** Presses keys where the keyboard is. `\uE007` is Enter. */
  async type(text: string): Promise<void> {
    const actions = [...text].flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
    await this.#bidi.ask('input.performActions', { context: this.#context, actions: [{ type: 'key', id: 'keyboard', actions }] });
  }

  async focus(selector: string): Promise<void> {
    await this.until((wanted) => (document.querySelector<HTMLElement>(wanted)?.focus(), document.activeElement === document.querySelector(wanted)), selector);
  }

  /** Presses the button of this name. */
  async press(name: string): Promise<void> {
    await this.until((wanted) => {
      const named = (each: HTMLElement): boolean => (each.getAttribute('aria-label') ?? each.textContent?.trim()) === wanted;
      const button = [...document.querySelectorAll<HTMLButtonElement>('button, a')].find((each) => named(each) && each.offsetParent !== null);
      button?.click();
      return button !== undefined;
    }, name);
  }

  /** Waits until a text stands in the page. */
  see(text: string): Promise<void> {
    return this.until((wanted) => document.body.innerText.includes(wanted), text);
  }

  async signIn(url: string, handle: string, signIn: string): Promise<void> {
    await this.goto(url);
    await this.press(signIn);
    await this.until(() => document.querySelector('#name') === null);
    await this.focus('#handle');
    await this.type(handle);
    await this.focus('#password');
    await this.type(`${PASSWORD}\uE007`);
    await this.until(() => document.querySelector('nav.list') !== null);
  }
}
