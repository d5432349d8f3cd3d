// When to send, and what to say about the hub: at once, when the network is back, when the page opens, and with longer and longer
// pauses while the hub is away. Also the service worker's registration, which opens the page and sends without the hub or the page.
import * as outcomes from "./outcomes.js";
import { release } from "./store.js";
import { sendAll } from "./sender.js";

const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 15_000; // longest time until a hub that is back is noticed
const hub = document.getElementById("hub");
const state = { since: 0, tried: 0, timer: null, running: false, wanted: false, words: "", asked: false, waiting: 0 };

/** Start sending, and keep at it. */
export function begin(tell) {
  addEventListener("online", () => { state.tried = 0; soon(); outcomes.ask({ held: true }); });
  addEventListener("offline", () => show());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) release().then(soon); // the page may be closed now: nothing waits for a change any more
    else soon();
  });
  register(tell);
  soon();
  outcomes.ask({ held: true });
}

/** Send what waits, now; while the hub is away not more often than it makes sense to ask. */
export async function soon() {
  if (state.since && Date.now() - state.tried < PAUSE_MS_MIN) return;
  clearTimeout(state.timer);
  state.wanted = true;
  if (state.running) return;
  state.running = true;
  let result = { done: true, later: null };
  while (state.wanted) {
    state.wanted = false;
    result = await sendAll().catch((error) => ({ done: false, words: error?.message ?? "The device's memory can't be read." }));
  }
  state.running = false;
  state.tried = Date.now();
  went(result);
}

function went({ done, words, later }) {
  if (done) state.since = 0;
  else state.since ||= Date.now();
  state.words = words;
  state.asked = true;
  if (!done) {
    // Pauses grow with the outage, half as long again each time; a little by chance, so that not all devices come at once.
    const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN + (Date.now() - state.since) / 2);
    clearTimeout(state.timer);
    state.timer = setTimeout(() => { state.tried = 0; soon(); }, pause * (1 + 0.3 * Math.random()));
    navigator.serviceWorker?.ready.then((worker) => worker.sync?.register("send-scans")).catch(() => {});
  } else if (later !== null && later !== undefined) state.timer = setTimeout(soon, Math.max(50, later));
  if (done) outcomes.ask();
  show();
}

/** Say how it stands with the hub; `waiting` scans are not there yet. */
export function show(waiting = state.waiting) {
  state.waiting = waiting;
  const kept = waiting ? ` · ${waiting} kept here` : "";
  const away = !navigator.onLine || state.since > 0;
  hub.dataset.hub = away ? "away" : state.asked ? "there" : "asking";
  if (!navigator.onLine) hub.textContent = `No network${kept}. Go on scanning.`;
  else if (away) hub.textContent = `${state.words.slice(0, 160)} Since ${new Date(state.since).toTimeString().slice(0, 5)}${kept}. Go on scanning.`;
  else hub.textContent = waiting ? `${waiting} waiting` : state.asked ? "All sent" : "…";
}

async function register(tell) {
  if (!navigator.serviceWorker) {
    tell("This address has no HTTPS: scans are kept on the device, but the page itself opens only while the hub is there.");
    return;
  }
  const had = Boolean(navigator.serviceWorker.controller);
  let taken = false;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (had && !taken) location.reload();
    taken = true;
  });
  try {
    const worker = await navigator.serviceWorker.register("/scanner/worker.js", { scope: "/scanner", type: "module", updateViaCache: "none" });
    const offer = () => { if (worker.waiting && navigator.serviceWorker.controller) document.getElementById("fresh").hidden = false; };
    offer();
    worker.addEventListener("updatefound", () => worker.installing?.addEventListener("statechange", offer));
    document.getElementById("take-over").addEventListener("click", () => worker.waiting?.postMessage("take-over"));
  } catch (error) {
    if (navigator.onLine && !/fetch|network/i.test(error?.message ?? "")) tell("This browser can't open the page without the hub: leave it open.");
  }
}
