// The scan at hand, large: what it is, how it stands, and, until it is on its way, how many and undo.
import { change, release, undo } from "./store.js";
import { detail, packages, sentence, standing, title } from "./words.js";

const QUANTITY = /^[0-9]{1,7}([.,][0-9]{1,6})?$/;
const SCANNED_LENGTH = 8; // nobody types a quantity of eight characters: a scanner did
const part = (id) => document.getElementById(id);
const quantity = part("quantity");
let entry = null;

/** Wire the buttons. `scanned` takes a barcode that a scanner typed into the quantity; `tell` shows a sentence; `done` follows. */
export function prepare({ scanned, tell, done, graceMs }) {
  const set = async (text) => {
    if (!QUANTITY.test(text)) return tell(`“${text.slice(0, 20)}” is no quantity: type digits.`);
    if (!Number(text.replace(",", ".")) && entry.state !== "counting") return tell("None of it? Then take the scan back with Undo.");
    const fields = { quantity: text.replace(",", "."), ...(entry.state === "waiting" ? { send_after: Date.now() + graceMs } : {}) };
    if (!(await change(entry.number, fields))) tell("Too late to change: the scan is on its way. Count the place if the number is wrong.");
  };
  const finish = () => {
    const text = quantity.value;
    quantity.value = entry ? packages(entry) : "";
    if (text.length >= SCANNED_LENGTH) scanned(text);
    else if (entry && text !== packages(entry)) set(text);
  };
  const step = (by) => set(String(Math.max(entry.state === "counting" ? 0 : 1, Number(packages(entry)) + by)));
  part("less").addEventListener("click", () => step(-1).then(done));
  part("more").addEventListener("click", () => step(1).then(done));
  quantity.addEventListener("focus", () => {
    quantity.select();
    if (entry?.state === "waiting") change(entry.number, { send_after: Date.now() + 10 * graceMs });
  });
  quantity.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Tab") return;
    event.preventDefault();
    quantity.blur();
    done();
  });
  quantity.addEventListener("blur", finish);
  part("undo").addEventListener("click", async () => {
    if (!(await undo(entry.number))) tell("Too late to undo: the scan is on its way.");
    done();
  });
  part("send").addEventListener("click", async () => {
    await release(entry.state === "counting" ? entry.session : undefined);
    done();
  });
}

/** Draw the entry; nothing when there is none yet. `counted` is how many lines an open count has. */
export function draw(shown, names, counted) {
  entry = shown ?? null;
  const free = Boolean(entry) && !entry.batch && (entry.state === "waiting" || entry.state === "counting");
  const [look, state] = entry ? standing(entry) : ["none", "Ready"];
  part("card").dataset.look = look;
  part("card-state").textContent = state;
  part("card-name").textContent = entry ? title(entry, names) : "Scan the first package";
  part("card-detail").textContent = entry ? detail(entry) : "";
  part("card-words").textContent = entry ? sentence(entry) : "";
  part("card-edit").hidden = !free;
  if (!free) return;
  if (document.activeElement !== quantity) quantity.value = packages(entry);
  part("unit").textContent = packages(entry) === "1" ? "package" : "packages";
  part("send").textContent = entry.state === "counting" ? `Send the count (${counted} ${counted === 1 ? "line" : "lines"})` : "Send now";
}
