// Chromium, and people's devices in it.
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core';
import { PASSWORD } from './people';
import { WORDS, type Language } from './words';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** A microphone that beeps and a camera that shows a test picture, both allowed. */
const FAKE_MEDIA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required'];

/** `E2E_SLOW=6`: the pages run so many times slower than this machine, as on an old phone or beside a busy compiler. */
const SLOW = Number(process.env.E2E_SLOW ?? 1);

const LOCALES = { fa: 'fa-IR', en: 'en-GB', ar: 'ar-IQ' } as const;

export const SIZES = {
  phone: { width: 360, height: 740 },
  tablet: { width: 768, height: 1024 },
  desktop: { width: 1280, height: 800 },
} as const;

/** `MICROPHONE`: what a WAV file holds is heard instead of beeps. */
export function launch(...more: string[]): Promise<Browser> {
  if (process.env.MICROPHONE) more.push(`--use-file-for-fake-audio-capture=${process.env.MICROPHONE}`);
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, headless: true, args: [...ARGS, ...FAKE_MEDIA, ...more] });
}

/** A browser of its own with what is in a folder as its profile. */
export function launchAlone(folder: string): Promise<BrowserContext> {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launchPersistentContext(folder, { executablePath, headless: true, args: ARGS, viewport: SIZES.desktop, locale: 'fa-IR' });
}

export interface DeviceOptions {
  language?: Language;
  theme?: 'light' | 'dark' | 'system';
  size?: keyof typeof SIZES;
  /** Runs in every page before the app. */
  before?: string;
  /** A browser that was made for this device alone, instead of the one that the scenarios share. */
  context?: BrowserContext;
}

/** One browser of one person, with what it asked for and what it complained of. */
export class Device {
  readonly foreign: string[] = [];
  readonly violations: string[] = [];
  readonly faults: string[] = [];
  readonly log: string[] = [];
  requests = 0;
  readonly #open = new Map<Page, number>();

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    readonly url: string,
    readonly language: Language,
  ) {}

  static async open(browser: Browser, url: string, options: DeviceOptions = {}): Promise<Device> {
    const { language = 'fa', theme = 'light', size = 'desktop', before } = options;
    const context = options.context ?? (await browser.newContext({
      viewport: SIZES[size],
      locale: LOCALES[language],
      colorScheme: theme === 'system' ? 'light' : theme,
      timezoneId: 'Asia/Tehran',
      hasTouch: size === 'phone',
      isMobile: size === 'phone',
      permissions: ['clipboard-read', 'clipboard-write'],
      serviceWorkers: 'allow',
    }));
    if (before !== undefined) await context.addInitScript(before);
    await context.addInitScript(
      ([chosen, look]) => {
        document.addEventListener('securitypolicyviolation', (event) => {
          console.error(`POLICY ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
        });
        try {
          localStorage['chapar.language'] ??= chosen;
          localStorage['chapar.theme'] ??= look;
        } catch {
          // A page without storage.
        }
      },
      [language, theme] as const,
    );
    const device = new Device(context, await context.newPage(), url, language);
    const { host } = new URL(url);
    context.on('request', (request) => device.#asked(request.url(), host));
    context.on('page', (page) => device.#watch(page, host));
    device.#watch(device.page, host);
    return device;
  }

  #watch(page: Page, host: string): void {
    page.on('websocket', (socket) => {
      this.#asked(socket.url(), host);
      this.#open.set(page, (this.#open.get(page) ?? 0) + 1);
      socket.on('close', () => this.#open.set(page, (this.#open.get(page) ?? 1) - 1));
    });
    page.on('close', () => this.#open.delete(page));
    // Firefox has no such wish.
    if (SLOW > 1) void this.context.newCDPSession(page).then((session) => session.send('Emulation.setCPUThrottlingRate', { rate: SLOW }), () => {});
    page.on('pageerror', (error) => this.#complain(`pageerror ${error.stack ?? error.message}`));
    page.on('crash', () => this.#complain('the page crashed'));
    page.on('console', (message) => {
      this.log.push(`${message.type()} ${message.text()}`);
      if (message.type() !== 'error') return;
      const text = message.text();
      if (/^POLICY |Content Security Policy/i.test(text)) this.violations.push(text);
      // A network that is cut on purpose, or a name that is asked for and not there.
      else if (!/Failed to load resource|WebSocket connection to|net::ERR_/.test(text)) this.#complain(text);
    });
  }

  #asked(address: string, host: string): void {
    const url = new URL(address);
    if (url.protocol === 'data:' || url.protocol === 'blob:' || url.protocol === 'about:') return;
    this.requests += 1;
    if (url.host !== host) this.foreign.push(address);
  }

  #complain(what: string): void {
    this.faults.push(what);
    this.log.push(`FAULT ${what}`);
  }

  get words(): (typeof WORDS)[Language] {
    return WORDS[this.language];
  }

  /** WebSockets that are open now, in all tabs. */
  get sockets(): number {
    return [...this.#open.values()].reduce((sum, each) => sum + each, 0);
  }

  /** The same person in another tab of the same browser. */
  tab(): Promise<Tab> {
    return this.context.newPage().then((page) => new Tab(page, this.language));
  }

  get main(): Tab {
    return new Tab(this.page, this.language);
  }

  /** Opens the app where it was left. */
  async visit(hash = ''): Promise<void> {
    await this.page.goto(`${this.url}/${hash}`);
  }

  /** Makes an account through the form. */
  async signUp(handle: string, name: string): Promise<void> {
    await this.visit();
    for (const [field, value] of [['#name', name], ['#handle', handle], ['#password', PASSWORD]] as const) {
      await this.page.locator(field).fill(value);
      await this.page.locator(field).press('Enter');
    }
    await this.main.list.waitFor();
  }

  /** Signs in through the form. */
  async signIn(handle: string): Promise<void> {
    await this.visit();
    await this.page.getByRole('button', { name: this.words.auth.signIn, exact: true }).click();
    await this.page.locator('#handle').fill(handle);
    await this.page.locator('#password').fill(PASSWORD);
    await this.page.getByRole('button', { name: this.words.auth.signIn, exact: true }).click();
    await this.main.list.waitFor();
  }

  close(): Promise<void> {
    return this.context.close();
  }
}

/** What a person sees and does in one tab. */
export class Tab {
  constructor(
    readonly page: Page,
    readonly language: Language,
  ) {}

  get words(): (typeof WORDS)[Language] {
    return WORDS[this.language];
  }

  get list(): Locator {
    return this.page.getByRole('navigation', { name: this.words.list.title });
  }

  /** A chat's row in the list. */
  row(title: string): Locator {
    return this.list.getByRole('link').filter({ hasText: title });
  }

  async open(title: string): Promise<void> {
    await this.row(title).click();
    await this.history.locator('ol.opened').waitFor();
    await this.page.getByRole('heading', { name: title, exact: true }).first().waitFor();
  }

  get history(): Locator {
    return this.page.getByRole('region', { name: this.words.chat.history, exact: true });
  }

  get composer(): Locator {
    return this.page.getByRole('textbox', { name: this.words.chat.message, exact: true });
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    // Enter breaks the line where there is no keyboard but the screen's.
    if ((await this.composer.getAttribute('enterkeyhint')) === 'send') await this.composer.press('Enter');
    else await this.page.getByRole('button', { name: this.words.chat.send, exact: true }).click();
  }

  /** The messages whose text has this in it. */
  message(text: string): Locator {
    const content = this.page.locator('.content').filter({ hasText: text });
    return this.history.locator('li.message').filter({ has: content });
  }

  /** The mark in a message of one's own: waiting, sent, read, failed. */
  mark(text: string, what: 'waiting' | 'sent' | 'read' | 'failed'): Locator {
    return this.message(text).getByRole('img', { name: this.words.chat[what], exact: true });
  }

  /** The texts of all messages on the screen, in order. */
  texts(): Promise<string[]> {
    return this.history.locator('li.message .content').allInnerTexts();
  }

  /** Opens a message's menu and chooses. */
  async act(text: string, action: string): Promise<void> {
    await this.message(text).locator('.bubble').click({ button: 'right' });
    await this.menuItem(action).click();
  }

  menuItem(action: string): Locator {
    return this.page.getByRole('menuitem', { name: action, exact: true });
  }

  /** What is told about the open chat: beside it on a wide screen, over it on others. */
  get info(): Locator {
    return this.dialog(this.words.chat.info).or(this.page.getByRole('complementary', { name: this.words.chat.info }));
  }

  dialog(title: string): Locator {
    return this.page.getByRole('dialog', { name: title });
  }

  /** The line under the name of the open chat. */
  get standing(): Locator {
    return this.page.locator('section.chat header .under');
  }

  /** Presses "now", where the app has not come back by itself meanwhile. */
  async retryNow(): Promise<void> {
    await this.page.getByRole('button', { name: this.words.net.retryNow, exact: true }).click({ timeout: 1_000 }).catch(() => {});
  }

  /** The app says that it has no connection, or is looking for one. */
  get away(): Locator {
    return this.band(this.words.net.offline).or(this.band(this.words.net.connecting));
  }

  band(text: string): Locator {
    return this.page.locator('.band').filter({ hasText: text });
  }
}
