// Asks the hub how stored scans ended: a few times, less and less often, then when the page is opened or the network is back.
import { all, note } from "./store.js";

const WAITS_MS = [400, 800, 1_500, 3_000, 6_000, 12_000, 30_000];
const SESSIONS_MAX = 20; // asked about at once, the newest; the others with the next look
let timer = null;
let step = 0;
let withHeld = false;

/** Ask soon, of what was stored. With `held` also of what waits for a fact, which may have come by now. */
export function ask({ held = false } = {}) {
  withHeld ||= held;
  step = 0;
  plan();
}

function plan() {
  clearTimeout(timer);
  if (step < WAITS_MS.length) timer = setTimeout(look, WAITS_MS[step++]);
}

async function look() {
  const stored = (await all()).filter((each) => each.state === "stored");
  const open = stored.filter((each) => !each.outcome || (withHeld && each.outcome.outcome === "held"));
  const sessions = [...new Set(open.map((each) => each.session))].slice(0, SESSIONS_MAX);
  try {
    for (const session of sessions) {
      const answer = await fetch(`/scans/${encodeURIComponent(session)}`, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
      if (answer.ok) await tell(open, (await answer.json()).events);
    }
    withHeld = false;
  } catch { /* the hub is away: ask later */ }
  if (open.some((each) => !each.outcome)) plan();
}

/** Note what is new, and only that: every note draws the page again. */
async function tell(open, events) {
  const before = new Map(open.map((each) => [each.event_id, each.outcome]));
  const fresh = events.filter((event) => before.has(event.event_id) && different(before.get(event.event_id), event));
  if (fresh.length) await note(fresh);
}

const different = (known, event) => !known || known.outcome !== event.outcome || known.reason !== event.reason;
