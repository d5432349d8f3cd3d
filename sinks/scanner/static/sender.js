// Sends what waits to the hub: in order, one batch at a time, one sender at a time in all tabs and the service worker.
// A scan leaves the queue only when the hub has said 202, or that it will never take it.
import { nextBatch, settle } from "./store.js";

const ANSWER_MS_MAX = 20_000;
const NEVER = [400, 413, 415, 422]; // the request itself is at fault: sending it again changes nothing

/** Send until nothing is left. `done` is false when the hub could not take it now; `later` is when the next one may go. */
export function sendAll() {
  const locks = self.navigator.locks; // absent on pages without HTTPS: two senders then send the same, which counts once
  return locks ? locks.request("wardstock-scanner-sender", sendWaiting) : sendWaiting();
}

async function sendWaiting() {
  for (;;) {
    const batch = await nextBatch(Date.now());
    if (!batch.scans.length) return { done: true, words: "", later: batch.later };
    const answer = await post(batch);
    if (answer.again) return { done: false, words: answer.words, later: null };
    await settle(batch.key, answer.stored ? "stored" : "aside", answer.words);
  }
}

async function post({ key, site, scans }) {
  let answer;
  try {
    answer = await fetch(`/scans${site ? `?site=${encodeURIComponent(site)}` : ""}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Wardstock-Source": "scanner-page", "Idempotency-Key": key },
      body: JSON.stringify(scans),
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
  } catch {
    return { again: true, words: "The hub can't be reached." };
  }
  if (answer.status === 202) return { stored: true, words: "" };
  const words = (await said(answer)) || `The hub answered ${answer.status || "with a redirect"}.`;
  return { again: !NEVER.includes(answer.status), stored: false, words };
}

async function said(answer) {
  try {
    const body = await answer.json();
    return typeof body.reason === "string" ? body.reason : "";
  } catch {
    return "";
  }
}
