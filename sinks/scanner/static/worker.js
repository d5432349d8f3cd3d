// The service worker: keeps the page's files, so that it opens without the hub, and sends what waits when the browser says the
// network is back. VERSION and FILES are written above by the hub and change with any file. It answers for the page's files only.
import { sendAll } from "./sender.js";

const CACHE = `scanner-${VERSION}`;

self.addEventListener("install", (event) => {
  // All files or none: a page is never put together from two versions.
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })))));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith("scanner-") && name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener("message", (event) => {
  // Asked by the person, who saw that a new version is there.
  if (event.data === "take-over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const path = new URL(event.request.url).pathname.replace(/\/$/, "");
  if (event.request.method !== "GET" || !FILES.includes(path)) return;
  event.respondWith(caches.open(CACHE).then(async (cache) => (await cache.match(path)) ?? fetch(event.request)));
});

self.addEventListener("sync", (event) => {
  if (event.tag === "send-scans") event.waitUntil(sendAll().then((sent) => { if (!sent.done) throw new Error(sent.words); }));
});
