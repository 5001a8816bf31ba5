// The page's life: listens to the daemon, hands on what it tells, and says how fresh that is.

import { byId, say } from "./elements.js";
import * as findings from "./findings.js";
import * as fleet from "./fleet.js";
import * as quota from "./quota.js";
import * as usage from "./usage.js";
import { clock, now, setNow, span } from "./words.js";

/** Silence after which the figures count as late, in milliseconds: three of the daemon's ticks. */
const LATE_AFTER = 6500;
/** For how long a page that nobody sees goes on listening, in milliseconds. */
const HIDDEN_MAX = 60_000;
/** When to try again if the daemon has no place for another page, in milliseconds. */
const AGAIN_AFTER = 15_000;

let source = null;
let heard = null;
let about = null;
let trouble = null;
let isFull = false;
let hiding = null;

const TAKERS = {
  about: (told) => (about = told),
  doctor: findings.takeDoctor,
  fleet: fleet.takeFleet,
  history: quota.takeHistory,
  node: usage.takeNode,
  quota: quota.takeQuota,
  refusals: findings.takeRefusals,
  sample: quota.takeSample,
  tick: takeTick,
  usage: usage.takeUsage,
};

function takeTick(tick) {
  setNow(tick.now);
  trouble = tick.trouble ?? null;
  heard = performance.now();
  isFull = false;
  showLife();
  showAbout();
  quota.show();
  usage.show();
  findings.show();
  showAlerts();
}

function open() {
  if (source) return;
  source = new EventSource("/events");
  for (const [name, take] of Object.entries(TAKERS)) {
    source.addEventListener(name, (event) => take(JSON.parse(event.data)));
  }
  source.addEventListener("error", () => {
    showLife();
    // A browser gives up for good where it is refused, and tries again by itself where nobody answers.
    if (source?.readyState !== EventSource.CLOSED) return;
    isFull = true;
    close();
    setTimeout(open, AGAIN_AFTER);
    showLife();
  });
}

function close() {
  source?.close();
  source = null;
}

function showAbout() {
  if (!about) return;
  say(byId("about"), `${about.version}, process ${about.pid}, up ${span(now() - about.started)}, ${about.doors.join(", ")}`);
}

/** How fresh what is shown is. Screen readers are told by the alert alone, and only when it begins. */
function showLife() {
  const silent = heard === null ? Infinity : performance.now() - heard;
  const isLate = silent > LATE_AFTER;
  const live = byId("live");
  let state = isLate ? "late" : "live";
  let words = "Live";
  if (isFull) [state, words] = ["gone", "The daemon has no place for another page"];
  else if (heard === null) [state, words] = ["waiting", "Connecting"];
  else if (isLate && source?.readyState !== EventSource.OPEN) [state, words] = ["gone", `No answer, as of ${clock(now() - silent / 1000)}`];
  else if (isLate) words = `As of ${clock(now() - silent / 1000)}`;
  else if (trouble) [state, words] = ["late", trouble];
  live.dataset.state = state;
  say(live, words);
}

function showAlerts() {
  const isGone = byId("live").dataset.state === "gone";
  const alerts = [...(isGone ? ["The daemon does not answer."] : []), ...quota.alerts(), ...findings.alerts()];
  say(byId("alert"), alerts.join(" "));
  const title = alerts.length ? `(${alerts.length}) Fleet Cache` : "Fleet Cache";
  if (document.title !== title) document.title = title;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(close, HIDDEN_MAX);
  else open();
});
window.addEventListener("resize", () => {
  quota.show();
  fleet.show();
});
setInterval(() => {
  showLife();
  if (byId("live").dataset.state === "gone") showAlerts();
}, 1000);
open();
