// The page: takes scans into the device's memory, has them sent, and shows how each stands. Knows nothing about stock.
import * as camera from "./camera.js";
import * as card from "./card.js";
import { group, read } from "./gs1.js";
import * as list from "./list.js";
import * as queue from "./queue.js";
import * as setup from "./setup.js";
import * as store from "./store.js";
import { listen } from "./wedge.js";
import { ACTIVITIES, CONDITIONS } from "./words.js";

const GRACE_MS = 5_000; // how long the newest scan can be changed before it goes
const BARCODE_CHARACTERS_MAX = 500;
const NAMES_KEPT_MAX = 1_000;
const part = (id) => document.getElementById(id);
const page = { session: null, chosen: null, device: null, names: {}, stopCamera: null };

function tell(words) {
  part("notice").textContent = words;
  part("notice").hidden = !words;
}

/** The barcode as scanned becomes an entry: kept first, sent later. */
async function scanned(barcode) {
  if (!page.session) return;
  if (barcode.length > BARCODE_CHARACTERS_MAX) return tell("NOT taken: over 500 characters are no barcode. Scan it again.");
  const { id, activity, user, location, to_location, witness, order_id, condition } = page.session;
  const counting = activity === "count";
  const shown = read(barcode);
  const scan = { activity, occurred: now(), barcode, location, user, device: page.device };
  for (const [name, value] of Object.entries({ to_location, witness, order_id, condition })) if (value) scan[name] = value;
  const more = {
    shown, group: group(barcode, shown), state: counting ? "counting" : "waiting",
    quantity: counting ? "1" : null, send_after: counting ? 0 : Date.now() + GRACE_MS,
  };
  try {
    const entry = await store.take(page.session, scan, more);
    page.chosen = entry.number;
    tell(entry.again ? `Package ${shown.serial} is counted already.` : "");
    navigator.vibrate?.(40);
  } catch (error) {
    tell(`NOT taken: this device can't keep it (${error?.message ?? "no storage"}). Write it down, and make room on the device.`);
  }
  await draw();
  queue.soon();
}

/** The device's time with its offset from UTC, as ISO 8601. */
function now() {
  const at = new Date();
  const offset = -at.getTimezoneOffset();
  const two = (number) => String(Math.floor(Math.abs(number))).padStart(2, "0");
  const local = new Date(at.getTime() + offset * 60_000).toISOString().slice(0, 23);
  return `${local}${offset < 0 ? "-" : "+"}${two(offset / 60)}:${two(offset % 60)}`;
}

async function draw() {
  const entries = await store.all();
  learn(entries);
  const own = entries.filter((each) => each.session === page.session?.id);
  const at = entries.find((each) => each.number === page.chosen) ?? own[0];
  card.draw(at, page.names, own.filter((each) => each.state === "counting").length);
  const choose = (number) => { page.chosen = number; draw().then(focus); };
  list.draw(entries, { card: at, session: page.session, names: page.names, choose });
  const aside = entries.filter((each) => each.state === "aside").length;
  part("aside").hidden = !aside;
  part("aside-words").textContent = `${aside} ${aside === 1 ? "scan was" : "scans were"} not taken by the hub and kept here.`;
  queue.show(entries.filter((each) => each.state === "waiting").length);
}

/** Names of products, from what the hub said of earlier scans: for scans it has not seen yet. */
function learn(entries) {
  const fresh = entries.filter((each) => each.outcome?.item_name && each.shown.gtin && !page.names[each.shown.gtin]);
  if (!fresh.length || Object.keys(page.names).length >= NAMES_KEPT_MAX) return;
  for (const each of fresh) page.names[each.shown.gtin] = each.outcome.item_name;
  store.keep("names", page.names);
}

function focus() {
  if (!part("scanning").hidden) part("barcode").focus({ preventScroll: true });
}

function open(session) {
  page.session = session;
  page.chosen = null;
  setup.hide();
  tell("");
  part("scanning").hidden = false;
  part("activity").textContent = ACTIVITIES[session.activity];
  part("where").textContent = session.to_location ? `${session.location} → ${session.to_location}` : session.location;
  const more = [session.user, session.site, session.order_id && `order ${session.order_id}`, session.witness && `witness ${session.witness}`, CONDITIONS[session.condition]];
  part("who").textContent = more.filter(Boolean).join(" · ");
  draw().then(focus);
}

async function change() {
  const counting = (await store.all()).some((each) => each.session === page.session.id && each.state === "counting");
  if (counting) return tell("The count is still open: send it, or undo its lines, before you change.");
  page.stopCamera?.();
  await store.release();
  await store.endSession();
  part("scanning").hidden = true;
  const last = page.session;
  page.session = null;
  queue.soon();
  setup.show(last);
}

async function toggleCamera() {
  if (page.stopCamera) return page.stopCamera();
  part("view").hidden = false;
  try {
    const stop = await camera.look(part("video"), scanned);
    page.stopCamera = () => {
      stop();
      page.stopCamera = null;
      part("view").hidden = true;
      part("camera").textContent = "Camera";
    };
    part("camera").textContent = "Stop";
  } catch {
    part("view").hidden = true;
    tell("The camera can't be used: allow it for this page, or use a scanner.");
  }
}

function toggleKeyboard() {
  const typing = part("barcode").inputMode === "none";
  part("barcode").inputMode = typing ? "text" : "none";
  part("keyboard").setAttribute("aria-pressed", String(typing));
  part("barcode").blur();
  focus();
}

async function start() {
  const refuse = () => tell("NOT taken: the scan began before the page listened. Scan it again.");
  listen(part("entry"), part("barcode"), () => Boolean(page.session), scanned, refuse);
  card.prepare({ scanned, tell, graceMs: GRACE_MS, done: () => draw().then(() => { focus(); queue.soon(); }) });
  setup.prepare(open);
  part("change").addEventListener("click", change);
  part("camera").addEventListener("click", toggleCamera);
  part("keyboard").addEventListener("click", toggleKeyboard);
  part("again").addEventListener("click", () => store.tryAgain().then(queue.soon));
  try {
    page.device = await store.device();
    page.names = (await store.setting("names")) ?? {};
    const session = await store.openSession();
    store.onChange(draw);
    if (session) open(session);
    else await Promise.all([setup.show({ user: await store.setting("user") }), draw()]);
  } catch (error) {
    return tell(`This browser keeps nothing (${error?.message ?? "no storage"}): the page can't be used here. Leave private browsing.`);
  }
  navigator.storage?.persist?.();
  queue.begin(tell);
  const why = await camera.whyNot().catch(() => "The camera can't be used here: use a scanner, or type.");
  part("camera").hidden = Boolean(why);
  part("camera-why").textContent = why;
}

start();
