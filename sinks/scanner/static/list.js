// Earlier scans, newest first, and what they add up to.
import { detail, doing, packages, sentence, standing, title } from "./words.js";

const SHOWN_MAX = 60;
const list = document.getElementById("list");
const totals = document.getElementById("totals");

/** Draw the entries but the one that is on the card; `choose` is called with one that is tapped. */
export function draw(entries, { card, session, names, choose }) {
  totals.textContent = counts(entries);
  const shown = entries.filter((each) => each.number !== card?.number).slice(0, SHOWN_MAX);
  list.replaceChildren(...shown.map((entry) => row(entry, names, entry.session !== session?.id, choose)));
}

function row(entry, names, elsewhere, choose) {
  const [look, state] = standing(entry);
  const item = element("li", "row");
  item.dataset.look = look;
  item.dataset.event = entry.event_id;
  const button = element("button", "row-body");
  button.type = "button";
  button.addEventListener("click", () => choose(entry.number));
  button.append(
    element("span", "row-name", title(entry, names)),
    element("span", "row-state", state),
    element("span", "row-detail", [`${packages(entry)} pkg`, detail(entry), elsewhere && doing(entry)].filter(Boolean).join(" · ")),
  );
  const words = sentence(entry);
  if (words) button.append(element("span", "row-words", words));
  item.append(button);
  return item;
}

function counts(entries) {
  const found = {};
  for (const entry of entries) {
    const word = { aside: "not taken", counting: "counting", waiting: "waiting" }[entry.state]
      ?? { accepted: "accepted", held: "held", duplicate: "duplicate", quarantined: "refused" }[entry.outcome?.outcome] ?? "stored";
    found[word] = (found[word] ?? 0) + 1;
  }
  const order = ["counting", "waiting", "not taken", "refused", "held", "stored", "duplicate", "accepted"];
  return order.filter((word) => found[word]).map((word) => `${found[word]} ${word}`).join(" · ");
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
