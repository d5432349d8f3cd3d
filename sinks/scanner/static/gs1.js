// Reads a GS1 barcode well enough to show it, and to see that two packages are of one product and lot. The hub reads it strictly
// and has the last word: what is sent is always the barcode as scanned.

const GS = "\x1d";
const FIXED = { "00": 18, "01": 14, "02": 14, "11": 6, "12": 6, "13": 6, "15": 6, "16": 6, "17": 6, "20": 2, "410": 13, "414": 13 };
const NAMES = { "01": "gtin", "02": "gtin", "10": "lot", "17": "expiry", "21": "serial", "30": "count", "37": "count", "414": "place" };

/** gtin, lot, expiry (YYYY-MM-DD), serial, count and place, as far as the barcode says them in a way that needs no guess. */
export function read(barcode) {
  const text = barcode.replaceAll("<GS>", GS).replace(/^\][A-Za-z][0-9]/, "").replace(/^\x1d/, "");
  if (/^([0-9]{8}|[0-9]{12,14})$/.test(text)) return { gtin: text.padStart(14, "0") }; // an EAN or UPC
  const elements = text.startsWith("(") ? bracketed(text) : plain(text);
  const found = {};
  for (const [identifier, value] of elements) {
    if (identifier === "17") found.expiry = day(value);
    else if (NAMES[identifier]) found[NAMES[identifier]] = value;
  }
  return found.gtin || found.place ? found : {};
}

/** What one line of a count stands for: product, lot and expiry where they can be read, else the barcode itself. */
export function group(barcode, shown) {
  return shown.gtin ? [shown.gtin, shown.lot ?? "", shown.expiry ?? ""].join("|") : barcode;
}

function bracketed(text) {
  return Array.from(text.matchAll(/\(([0-9]{2,4})\)([^(]*)/g), (match) => [match[1], match[2]]);
}

function plain(text) {
  const elements = [];
  let rest = text;
  while (rest) {
    const identifier = ["414", "410"].find((each) => rest.startsWith(each)) ?? rest.slice(0, 2);
    const length = FIXED[identifier];
    if (!length && !["10", "21", "30", "37"].includes(identifier)) return elements;
    const body = rest.slice(identifier.length);
    const end = length ?? (body.includes(GS) ? body.indexOf(GS) : body.length);
    if (!end || body.length < end || (length && !/^[0-9]+$/.test(body.slice(0, end)))) return [];
    elements.push([identifier, body.slice(0, end)]);
    rest = body.slice(end).replace(/^\x1d/, "");
  }
  return elements;
}

function day(digits) {
  if (!/^[0-9]{6}$/.test(digits)) return undefined;
  const [year, month, date] = [2000 + Number(digits.slice(0, 2)), Number(digits.slice(2, 4)), Number(digits.slice(4))];
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate(); // day 00 is the last of the month
  return `${year}-${String(month).padStart(2, "0")}-${String(date || last).padStart(2, "0")}`;
}
