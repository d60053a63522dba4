/// <reference lib="webworker" />
// The service worker: the app opens without a network. It keeps the files of one version, all of them or none, and never
// touches the API. Placeholders are filled in by scripts/service-worker.mjs.

declare const __VERSION__: string;
declare const __FILES__: string[];
/** SHA-256 of the page of this version: while nodes of two versions answer, the other one's must not get in. */
declare const __PAGE__: string;

// `self` is typed for workers of any kind.
const worker = self as unknown as ServiceWorkerGlobalScope;
const PREFIX = 'chapar-';
const CACHE = PREFIX + __VERSION__;
const HASHED = '/assets/';
/** The server's own answers, and what must never be older than the server. */
const OWN = ['/ws', '/sw.js', '/start.js', '/metrics', '/healthz', '/readyz'];

worker.addEventListener('install', (event) => {
  event.waitUntil(fill());
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
      }
      await worker.clients.claim();
    })(),
  );
});

worker.addEventListener('message', (event) => {
  const data = event.data as 'activate' | { leaves?: string; token?: string; back?: string };
  if (data === 'activate') return void worker.skipWaiting();
  if (data.back !== undefined) cameBack.add(data.back);
  if (data.leaves !== undefined && data.token !== undefined) event.waitUntil(hangUpUnlessBack(data.leaves, data.token));
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  // What people send is not the app's, and comes in ranges.
  if (url.pathname.startsWith('/api/') || url.pathname.startsWith('/files') || OWN.includes(url.pathname)) return;
  event.respondWith(answer(request, url));
});

worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const hash = typeof event.notification.data === 'string' ? event.notification.data : '#/';
  event.waitUntil(
    (async () => {
      const pages = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
      const page = pages[0];
      if (!page) return void (await worker.clients.openWindow(`/${hash}`));
      // The page goes there even where the browser does not let it come to the front.
      page.postMessage({ go: hash });
      await page.focus();
    })(),
  );
});

/** Calls whose page was there again. */
const cameBack = new Set<string>();
/** How long a page that is loaded anew may take to show itself, and to say that it is back, in milliseconds. */
const SHOWN = 2_000;
const BACK = 10_000;

/** A page went in mid-call: hangs up when it was closed for good, so that nobody waits for it. */
async function hangUpUnlessBack(call_id: string, token: string): Promise<void> {
  const pages = async (): Promise<string[]> => (await worker.clients.matchAll({ includeUncontrolled: true })).map(({ id }) => id);
  const before = await pages();
  cameBack.delete(call_id);
  await new Promise((resolve) => setTimeout(resolve, SHOWN));
  if ((await pages()).some((id) => !before.includes(id))) {
    for (let waited = SHOWN; waited < BACK && !cameBack.has(call_id); waited += SHOWN) await new Promise((resolve) => setTimeout(resolve, SHOWN));
  }
  if (cameBack.delete(call_id)) return;
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
  await fetch('/api/v1/call/call_ask', { method: 'POST', headers, body: JSON.stringify({ call_id, ask: 'hang_up' }), credentials: 'omit' });
}

/** All files of this version; those with a hash in their name are taken over from the version before. */
async function fill(): Promise<void> {
  const cache = await caches.open(CACHE);
  await Promise.all(
    __FILES__.map(async (path) => {
      const known = path.startsWith(HASHED) ? await caches.match(path) : undefined;
      const response = known ?? (await fetch(path, { cache: 'no-cache' }));
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      if (path === '/' && (await digest(response.clone())) !== __PAGE__) throw new Error('the page of another version');
      await cache.put(path, response);
    }),
  );
}

async function digest(response: Response): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', await response.arrayBuffer()));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function answer(request: Request, url: URL): Promise<Response> {
  // Where the storage is broken the network is not.
  const cache = await caches.open(CACHE).catch(() => undefined);
  const kept = await cache?.match(request.mode === 'navigate' ? '/' : url.pathname).catch(() => undefined);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && url.pathname.startsWith(HASHED)) await cache?.put(url.pathname, response.clone()).catch(() => {});
  return response;
}
