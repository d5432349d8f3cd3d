// Takes what a scanner types: keys that end with Enter or Tab. FNC1 comes as character 29, as the key Ctrl+], or as the text <GS>;
// none of them is ever dropped.

const GS = "\x1d";
const QUIET_MS = 300; // a scanner's keys are closer together than this
const isSeparator = (event) => event.key === GS || (event.ctrlKey && (event.key === "]" || event.code === "BracketRight"));
const types = (element) => element instanceof HTMLElement && element.matches("input:not([type=radio]), select, textarea");

/** Put FNC1 into a field where a scanner types it. */
export function keepSeparators(field) {
  field.addEventListener("keydown", (event) => {
    if (!isSeparator(event)) return;
    event.preventDefault();
    field.setRangeText(GS, field.selectionStart, field.selectionEnd, "end");
  });
}

/** Swallow the rest of a barcode that began before the page was there or listened, and `refuse` it at its end: a rest can look whole. */
function refuseRests(field, listening, refuse) {
  let missed = performance.now();
  let swallowed = 0;
  window.addEventListener("focus", () => { missed = performance.now(); });
  document.addEventListener("keydown", (event) => {
    const ends = event.key === "Enter" || event.key === "Tab";
    if (!(ends || event.key.length === 1) || (types(event.target) && event.target !== field)) return;
    const at = performance.now();
    if (listening() && (field.value || at - missed > QUIET_MS)) swallowed = 0;
    else {
      missed = at;
      if (!listening()) return;
      if (!ends) swallowed += 1;
      else if (swallowed) {
        missed = -Infinity;
        refuse();
      } else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
}

/** Call `take` with every barcode that is typed, wherever the focus is while `listening()`; `refuse` when only the rest of one came. */
export function listen(form, field, listening, take, refuse) {
  field.value = ""; // a browser may restore what was typed before a reload
  refuseRests(field, listening, refuse);
  keepSeparators(field);
  const finish = () => {
    const text = field.value.replace(/[\r\n\t]+$/, "");
    field.value = "";
    if (text) take(text);
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); finish(); });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || !field.value) return; // an empty field lets Tab move on
    event.preventDefault();
    finish();
  });
  document.addEventListener("keydown", (event) => {
    if (!listening() || types(event.target) || event.altKey || event.metaKey) return;
    if (isSeparator(event) && event.target !== field) {
      event.preventDefault();
      field.focus();
      field.setRangeText(GS, field.value.length, field.value.length, "end");
    } else if (event.key.length === 1 && !event.ctrlKey && event.key !== " ") field.focus();
  }, true);
}
