// The first screen: who, doing what, where. Offers the hub's sites and places, also those it told before; takes any other text.
import { begin, keep, setting } from "./store.js";
import { PLACE_WORDS } from "./words.js";
import { keepSeparators } from "./wedge.js";

const form = document.getElementById("setup");
const field = (name) => form.elements.namedItem(name);
let known = { sites: [], places: [] };

/** Wire the form; `begun` is called with the new session. */
export function prepare(begun) {
  form.querySelectorAll("input:not([type=radio])").forEach((each) => {
    keepSeparators(each);
    each.addEventListener("keydown", (event) => { if (event.key === "Enter") next(event, each); });
  });
  form.addEventListener("change", draw);
  field("location").addEventListener("input", draw);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    begun(await begin(given()));
  });
}

/** Show the form with what is known of the last session, and ask the hub for its places. */
export async function show(last) {
  form.hidden = false;
  fill(last);
  (field("user").value ? field("location") : field("user")).focus(); // at once: later it would take the cursor from who types
  known = (await setting("places")) ?? known;
  fill({ ...given(), site: last?.site }); // its site could not be chosen before the sites were known
  try {
    const answer = await fetch("/scanner/places", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (answer.ok) {
      known = await answer.json();
      await keep("places", known);
      fill(given());
    }
  } catch { /* the hub is away: what it said before is offered */ }
}

export function hide() {
  form.hidden = true;
}

function fill(last) {
  const site = field("site");
  site.replaceChildren(...known.sites.map(({ id, name }) => new Option(name, id)));
  form.querySelector("#site-label").hidden = known.sites.length < 2;
  field("condition").value = ""; // what is damaged is said each time
  for (const [name, value] of Object.entries(last ?? {})) if (value && field(name) && name !== "condition") field(name).value = value;
  draw();
}

/** What fits the chosen activity and site. */
function draw() {
  const activity = field("activity").value;
  form.querySelectorAll("[data-for]").forEach((each) => { each.hidden = !each.dataset.for.split(" ").includes(activity); });
  field("to_location").required = activity === "put_away";
  form.querySelector("#location-words").textContent = PLACE_WORDS[activity] ?? "Where?";
  form.querySelector("#to-words").textContent = activity === "pick" ? "To where? (empty: on its way)" : "To where?";
  const places = known.places.filter((place) => !field("site").value || place.site === field("site").value);
  const options = places.map((place) => new Option(place.name, place.codes[0] ?? place.path));
  form.querySelector("#places").replaceChildren(...options);
  form.querySelector("#location-hint").textContent = hint(field("location").value, places);
}

function hint(text, places) {
  if (!text || !places.length) return "";
  const found = places.find((place) => place.path === text || place.codes.includes(text));
  if (found) return found.name;
  return /^[\](]/.test(text) ? "" : "The hub lists no such place: a scan there waits until it does.";
}

/** Enter moves on, so that a badge and a place can be scanned one after the other. */
function next(event, from) {
  const fields = [...form.querySelectorAll("input, button")].filter((each) => each.offsetParent && each.type !== "radio");
  const after = fields[fields.indexOf(from) + 1];
  if (!from.value || after.id === "begin") return;
  event.preventDefault();
  after.focus();
}

function given() {
  const activity = field("activity").value;
  const fields = { activity };
  for (const name of ["user", "site", "location", "to_location", "witness", "order_id", "condition"]) {
    const element = field(name);
    if (element.value && (name === "site" || !element.closest("[hidden]"))) fields[name] = element.value;
  }
  return fields;
}
