// A real Chromium whose pages hold the SDK, at the server's own origin.

import { build } from "esbuild";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { fileURLToPath } from "node:url";

const EXECUTABLE = process.env.CHAPAR_CHROMIUM ?? "/usr/bin/chromium";

export async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--no-sandbox",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      // The page that stands in for a service worker's, while the server is gone, has no address of its own.
      "--disable-features=LocalNetworkAccessChecks",
      // Two pages of one test are both looked at.
      "--disable-backgrounding-occluded-windows",
      "--disable-renderer-backgrounding",
    ],
  });
}

let bundled: Promise<string> | undefined;

/** The whole SDK as one script, which sets `chapar`. */
function bundle(): Promise<string> {
  const entry = fileURLToPath(new URL("./entry.ts", import.meta.url));
  bundled ??= build({ entryPoints: [entry], bundle: true, write: false, format: "iife", target: "es2022" }).then(
    (it) => it.outputFiles[0]!.text,
  );
  return bundled;
}

/** A context whose pages hold the SDK. */
export async function context(browser: Browser): Promise<BrowserContext> {
  const made = await browser.newContext({ permissions: ["microphone", "camera"] });
  await made.addInitScript({ content: await bundle() });
  return made;
}

/** A page at the server's own origin. It must really come from there: Chromium keeps made-up pages from local addresses. */
export async function page(made: BrowserContext, url: string): Promise<Page> {
  const it = await made.newPage();
  it.on("pageerror", (error) => console.error("page error:", error));
  await it.goto(`${url}/api/v1/openapi.json`);
  return it;
}
