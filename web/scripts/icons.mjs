// Draws the PNG icons from the SVG with Chromium. Run after a change of the mark; what it writes is committed.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const svg = readFileSync(new URL('../public/icons/icon.svg', import.meta.url), 'utf8');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const draw = async (name, size, background, inset) => {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(
    `<style>*{margin:0}body{background:${background};display:grid;place-items:center;height:100vh}svg{width:${100 - inset}vw}</style>${svg}`,
  );
  await page.screenshot({ path: new URL(`../public/icons/${name}.png`, import.meta.url).pathname, omitBackground: true });
  await page.close();
};
await draw('icon-192', 192, 'transparent', 0);
await draw('icon-512', 512, 'transparent', 0);
await draw('maskable-512', 512, '#f6f1e6', 28);
await browser.close();
