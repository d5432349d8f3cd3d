// What an entry is called and how it looks, in words. No page, no storage.

export const ACTIVITIES = {
  receive: "Receive", put_away: "Put away", pick: "Pick", count: "Count", waste: "Waste", return: "Return",
};
export const CONDITIONS = { damaged: "DAMAGED goods", temperature: "goods TOO WARM or too cold" };
export const PLACE_WORDS = {
  receive: "Where do they arrive?", put_away: "From where?", pick: "From where?", count: "Where do you count?",
  waste: "Where is it?", return: "Back to where?",
};

const DONE = { receive: "received", put_away: "put away", pick: "picked", discard: "wasted", return: "returned" };
const OUTCOMES = {
  accepted: ["ok", "✓ Accepted"], held: ["warn", "! Held"], duplicate: ["info", "= Duplicate"], quarantined: ["stop", "✕ Refused"],
};

/** How an entry stands: a look (a colour) and a word. */
export function standing(entry) {
  if (entry.state === "counting") return ["warn", "Counting"];
  if (entry.state === "aside") return ["stop", "✕ Not taken"];
  if (entry.state === "waiting") return ["wait", "Waiting"];
  return entry.outcome ? OUTCOMES[entry.outcome.outcome] : ["info", "Stored"];
}

/** The name of what was scanned: the hub's, else what the barcode says. */
export function title(entry, names) {
  return entry.outcome?.item_name ?? names[entry.shown.gtin] ?? (entry.shown.gtin ? `GTIN ${entry.shown.gtin}` : plain(entry.scan.barcode));
}

/** Lot and expiry, as the barcode or the hub says. */
export function detail(entry) {
  const lot = entry.shown.lot ?? entry.outcome?.lot;
  const expiry = entry.shown.expiry ?? entry.outcome?.expiry;
  return [lot && `Lot ${lot}`, expiry && `exp ${expiry}`].filter(Boolean).join(" · ");
}

/** Doing what, where. */
export function doing({ scan }) {
  return `${ACTIVITIES[scan.activity]} ${scan.to_location ? `${scan.location} → ${scan.to_location}` : scan.location}`;
}

/** The sentence below: the hub's own words. */
export function sentence(entry) {
  if (entry.state === "aside") return entry.words;
  if (!entry.outcome) return "";
  return entry.outcome.code === "posted" ? amount(entry.outcome) : upper(entry.outcome.reason);
}

/** How many packages it stands for: typed, else what the barcode says, else one. */
export function packages(entry) {
  return entry.quantity ?? entry.shown.count?.replace(/^0+(?=.)/, "") ?? "1";
}

function amount({ quantity, unit, kind, reason }) {
  return quantity && DONE[kind] ? `${quantity.toLocaleString("en")} ${unit} ${DONE[kind]}` : `${upper(reason)}`;
}

const upper = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
const plain = (text) => text.replaceAll("\x1d", "␝");
