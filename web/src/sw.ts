/// <reference lib="webworker" />
// The service worker: the app opens without a network. It keeps the files of one version, all of them or none, and never
// touches the API. Placeholders are filled in by scripts/service-worker.mjs.

declare const __VERSION__: string;
declare const __FILES__: string[];

// `self` is typed for workers of any kind.
const worker = self as unknown as ServiceWorkerGlobalScope;
const PREFIX = 'chapar-';
const CACHE = PREFIX + __VERSION__;
const HASHED = '/assets/';

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
  if (event.data === 'activate') void worker.skipWaiting();
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (url.pathname.startsWith('/api/') || url.pathname === '/ws' || url.pathname === '/sw.js') return;
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

/** All files of this version; those with a hash in their name are taken over from the version before. */
async function fill(): Promise<void> {
  const cache = await caches.open(CACHE);
  await Promise.all(
    __FILES__.map(async (path) => {
      const known = path.startsWith(HASHED) ? await caches.match(path) : undefined;
      const response = known ?? (await fetch(path, { cache: 'no-cache' }));
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      await cache.put(path, response);
    }),
  );
}

async function answer(request: Request, url: URL): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.mode === 'navigate' ? '/' : url.pathname);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && url.pathname.startsWith(HASHED)) await cache.put(url.pathname, response.clone()).catch(() => {});
  return response;
}
