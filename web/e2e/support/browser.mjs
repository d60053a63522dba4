// Chromium with pages of the app.
import { chromium } from 'playwright-core';
import { Person } from './people.mjs';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** `fakeMedia`: a microphone that beeps and a camera that shows a test picture, both allowed. */
export function launch({ fakeMedia = false } = {}) {
  const media = fakeMedia ? ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required'] : [];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: [...ARGS, ...media] });
}

/**
 * A fresh device: a browser context with one page. `foreign` gathers every request to another origin, `faults` every
 * error of the page and every breach of its policy.
 */
export async function device(browser, server, { language = 'fa', theme = 'light', size = { width: 1280, height: 800 }, phone = false } = {}) {
  const context = await browser.newContext({
    viewport: size,
    locale: { fa: 'fa-IR', en: 'en-GB', ar: 'ar-IQ' }[language],
    colorScheme: theme,
    timezoneId: 'Asia/Tehran',
    hasTouch: phone,
    isMobile: phone,
    serviceWorkers: 'allow',
  });
  await context.addInitScript(
    ([chosen, look]) => {
      try {
        if (!localStorage.getItem('chapar.language')) localStorage.setItem('chapar.language', chosen);
        if (!localStorage.getItem('chapar.theme')) localStorage.setItem('chapar.theme', look);
      } catch {
        // A page without storage.
      }
    },
    [language, theme],
  );
  const page = await context.newPage();
  const foreign = [];
  const faults = [];
  const origin = new URL(server.app).host;
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.protocol !== 'blob:' && url.host !== origin) foreign.push(request.url());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) faults.push(message.text());
  });
  return { context, page, foreign, faults };
}

/** Makes an account through the form. */
export async function signUp(page, server, handle, name, password = Person.password) {
  await page.goto(server.app);
  await page.locator('#handle').fill(handle);
  await page.locator('#name').fill(name);
  await page.locator('#password').fill(password);
  await page.locator('form button[type=submit]').click();
  await page.getByRole('navigation').waitFor();
}

/** Signs in through the form. */
export async function signIn(page, server, handle, password = Person.password) {
  await page.goto(server.app);
  await page.locator('.as-link').click();
  await page.locator('#handle').fill(handle);
  await page.locator('#password').fill(password);
  await page.locator('form button[type=submit]').click();
  await page.getByRole('navigation').waitFor();
}

/** Opens a chat by the beginning of its name in the list. */
export async function openChat(page, name) {
  await page.getByRole('navigation').getByRole('link', { name }).first().click();
  await page.locator('section.chat ol.opened').waitFor();
}
