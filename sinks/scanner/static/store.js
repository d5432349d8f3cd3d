// What this device keeps: scans, sessions and settings, in IndexedDB. A scan is here before anything else happens to it.
// An entry's state is `counting` (a count that is still open), `waiting`, `stored` (the hub has it) or `aside` (the hub will never
// take it). From the moment it has a `batch` it may be on its way, and can't be changed any more.

export const BATCH_SCANS_MAX = 50;
export const KEPT_MAX = 300; // entries the hub has that are kept to look at
const SESSIONS_MAX = 100;

const channel = "BroadcastChannel" in self ? new BroadcastChannel("wardstock-scanner") : null;
const listeners = new Set();
channel?.addEventListener("message", () => listeners.forEach((each) => each()));

/** Call `listener` after every change, in whichever tab it was made. */
export function onChange(listener) {
  listeners.add(listener);
}

function changed() {
  listeners.forEach((each) => each());
  channel?.postMessage("changed");
}

let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("wardstock-scanner", 1);
    request.onupgradeneeded = () => {
      const entries = request.result.createObjectStore("entries", { keyPath: "number", autoIncrement: true });
      entries.createIndex("state", "state");
      entries.createIndex("event_id", "event_id", { unique: true });
      request.result.createObjectStore("sessions", { keyPath: "id" });
      request.result.createObjectStore("settings");
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => { request.result.close(); opened = null; };
      request.result.onclose = () => { opened = null; };
      resolve(request.result);
    };
    request.onerror = () => { opened = null; reject(request.error); };
  });
  return opened;
}

const got = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Run `work` in one transaction; resolves with its result once everything it wrote is on disk. */
async function within(mode, work) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(["entries", "sessions", "settings"], mode, { durability: "strict" });
    let result;
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(transaction.error ?? new Error("the device kept nothing"));
    const stores = Object.fromEntries(["entries", "sessions", "settings"].map((name) => [name, transaction.objectStore(name)]));
    work(stores).then((value) => { result = value; }, (error) => { transaction.abort(); reject(error); });
  });
}

const inState = (entries, state) => got(entries.index("state").getAll(state));
const isFree = (entry) => !entry.batch && (entry.state === "waiting" || entry.state === "counting");

export const setting = (name) => within("readonly", ({ settings }) => got(settings.get(name)));
export const keep = (name, value) => within("readwrite", ({ settings }) => got(settings.put(value, name)));

/** Letters and digits that nobody else has drawn. */
export function randomName(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The device's own name, drawn once and kept. */
export function device() {
  return within("readwrite", async ({ settings }) => {
    const known = await got(settings.get("device"));
    if (!known) settings.put(`page-${randomName(6)}`, "device");
    return known ?? got(settings.get("device"));
  });
}

/** Begin a session: who, doing what, where. It is the one that is open from now on. */
export async function begin(fields) {
  const session = { ...fields, id: `page-${randomName(12)}`, counter: 0, begun: Date.now() };
  await within("readwrite", async ({ sessions, settings }) => {
    const old = (await got(sessions.getAll())).sort((one, other) => other.begun - one.begun).slice(SESSIONS_MAX);
    old.forEach((each) => sessions.delete(each.id));
    sessions.put(session);
    settings.put(session.id, "session");
    settings.put(fields.user, "user");
  });
  return session;
}

/** The open session, or undefined. */
export function openSession() {
  return within("readonly", async ({ sessions, settings }) => {
    const id = await got(settings.get("session"));
    return id && got(sessions.get(id));
  });
}

export const endSession = () => within("readwrite", ({ settings }) => got(settings.delete("session")));

/**
 * Keep one scan, with an identity and a number that no other scan of this device has. `more` is its state and what is shown of it.
 * A count adds to the open entry of the same product and lot; one package that is scanned twice counts once.
 * Returns the entry; `again` says that this package is in it already.
 */
export async function take(session, scan, more) {
  const taken = await within("readwrite", async ({ entries, sessions, settings }) => {
    if (more.state === "counting") {
      const open = (await inState(entries, "counting")).find((each) => each.session === session.id && each.group === more.group);
      if (open) return addToCount(entries, open, more.shown.serial);
    }
    const current = (await got(sessions.get(session.id))) ?? session;
    const sequence = ((await got(settings.get("device_sequence"))) ?? 0) + 1;
    settings.put(sequence, "device_sequence");
    current.counter += 1;
    sessions.put(current);
    const event_id = `${current.counter}-${randomName(6)}`;
    const entry = {
      ...more, event_id, session: session.id, site: session.site ?? "", batch: null, words: "", outcome: null,
      serials: more.shown.serial ? [more.shown.serial] : [],
      scan: { ...scan, session: session.id, event_id, device_sequence: sequence },
    };
    const before = await got(entries.index("state").openCursor("waiting", "prev"));
    if (before?.value.send_after) before.update({ ...before.value, send_after: 0 }); // the next scan says that it was right
    return { ...entry, number: await got(entries.add(entry)) };
  });
  changed();
  return taken;
}

async function addToCount(entries, open, serial) {
  if (serial && open.serials.includes(serial)) return { ...open, again: true };
  const entry = { ...open, quantity: String(Number(open.quantity) + 1), serials: serial ? [...open.serials, serial] : open.serials };
  await got(entries.put(entry));
  return entry;
}

/** Change an entry that is not on its way yet; false when it is too late. */
export async function change(number, fields) {
  const done = await within("readwrite", async ({ entries }) => {
    const entry = await got(entries.get(number));
    if (!entry || !isFree(entry)) return false;
    await got(entries.put({ ...entry, ...fields }));
    return true;
  });
  changed();
  return done;
}

/** Take an entry back that is not on its way yet; false when it is too late. */
export async function undo(number) {
  const done = await within("readwrite", async ({ entries }) => {
    const entry = await got(entries.get(number));
    if (!entry || !isFree(entry)) return false;
    await got(entries.delete(number));
    return true;
  });
  changed();
  return done;
}

/** Let everything go that waits: what is counted (of a session), and what still gave time to change it. */
export async function release(session) {
  await within("readwrite", async ({ entries }) => {
    const waiting = (await inState(entries, "waiting")).filter((each) => each.send_after);
    const counted = session ? (await inState(entries, "counting")).filter((each) => each.session === session) : [];
    for (const each of [...waiting, ...counted]) entries.put({ ...each, state: "waiting", send_after: 0 });
  });
  changed();
}

/**
 * The next scans to send, oldest first, all of one site. They are marked with a batch before they are given out: after a crash the
 * same scans go again under the same key. `later` is how many milliseconds the next one still gives to change it.
 */
export function nextBatch(now) {
  return within("readwrite", async ({ entries }) => {
    const waiting = await got(entries.index("state").getAll("waiting", BATCH_SCANS_MAX));
    const first = waiting[0];
    if (!first) return { scans: [], later: null };
    if (first.batch) {
      const same = waiting.filter((each) => each.batch === first.batch);
      return { key: first.batch, site: first.site, scans: same.map((each) => each.scan), later: null };
    }
    const ready = [];
    for (const each of waiting) {
      if (each.send_after > now || each.site !== first.site || each.batch) break;
      ready.push(each);
    }
    if (!ready.length) return { scans: [], later: first.send_after - now };
    const key = `page-${randomName(12)}`;
    for (const each of ready) entries.put({ ...each, batch: key, scan: asSent(each) });
    return { key, site: first.site, scans: ready.map(asSent), later: null };
  });
}

/** The scan as it is sent. What was not typed is left out: the barcode may say how many packages it stands for. */
function asSent(entry) {
  return entry.quantity === null ? entry.scan : { ...entry.scan, quantity: entry.quantity };
}

/** The hub has a batch (`stored`), or will never take it (`aside`, with its words). */
export async function settle(key, state, words) {
  await within("readwrite", async ({ entries }) => {
    for (const each of await inState(entries, "waiting")) if (each.batch === key) entries.put({ ...each, state, words });
    const stored = await got(entries.index("state").getAllKeys("stored"));
    stored.slice(0, Math.max(0, stored.length - KEPT_MAX)).forEach((number) => entries.delete(number));
  });
  changed();
}

/** Put what was set aside into the queue again, as it was. */
export async function tryAgain() {
  await within("readwrite", async ({ entries }) => {
    for (const each of await inState(entries, "aside")) entries.put({ ...each, state: "waiting", batch: null, words: "" });
  });
  changed();
}

/** Note how scans of a session ended. */
export async function note(events) {
  await within("readwrite", async ({ entries }) => {
    for (const event of events) {
      const entry = await got(entries.index("event_id").get(event.event_id));
      if (entry && entry.state === "stored") entries.put({ ...entry, outcome: event });
    }
  });
  changed();
}

/** Everything kept, newest first. */
export const all = () => within("readonly", async ({ entries }) => (await got(entries.getAll())).reverse());
