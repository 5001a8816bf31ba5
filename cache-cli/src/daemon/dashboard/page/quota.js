// How allowances stand: a row for each, the most urgent first, and the curve of the one that is chosen.

import { attribute, byId, keep, make, say, size } from "./elements.js";
import { curve, spark } from "./chart.js";
import { clock, clockWithSeconds, forecast, left, moment, now, number, span, urgency } from "./words.js";

/** Rows that are shown before somebody asks for all. */
const ROWS_FIRST = 10;
/** Points that are kept of each curve: an hour of the daemon's samples, as the daemon keeps them. */
const POINTS_MAX = 121;

let told = { buckets: [], more: 0 };
let curves = new Map();
/** The row that somebody chose; until then the curve is that of the first. */
let chosen = null;
let showsAll = false;

const keyOf = (bucket) => `${bucket.domain} ${bucket.resource}`;

function isChosen(bucket) {
  const isThere = told.buckets.some((it) => keyOf(it) === chosen);
  return keyOf(bucket) === (isThere ? chosen : keyOf(told.buckets[0]));
}

export function takeHistory(history) {
  curves = new Map(history.map((it) => [keyOf(it), it.points]));
}

export function takeSample(samples) {
  for (const [domain, resource, at, value] of samples) {
    const key = keyOf({ domain, resource });
    const points = curves.get(key) ?? [];
    if (!points.length || points[points.length - 1][0] < at) points.push([at, value]);
    if (points.length > POINTS_MAX) points.shift();
    curves.set(key, points);
  }
  for (const key of curves.keys()) {
    if (!samples.some(([domain, resource]) => keyOf({ domain, resource }) === key)) curves.delete(key);
  }
}

/** Shown with the tick that follows. */
export function takeQuota(quota) {
  told = quota;
}

/** What stands still now, in a sentence each that does not change while it does. */
export function alerts() {
  const held = told.buckets.filter((it) => urgency(it) === "held");
  return held.map((it) => `${it.domain} ${it.resource}: ${it.paused_by === "pace" ? "called too often" : "spent"}, no calls until ${clockWithSeconds(it.paused_until)}.`);
}

/** Draws everything that changes with time alone, too. */
export function show() {
  const { buckets, more } = told;
  const shown = showsAll ? buckets : buckets.slice(0, ROWS_FIRST);
  byId("quota-empty").hidden = buckets.length > 0;
  byId("quota-scroll").hidden = buckets.length === 0;
  keep(byId("quota-rows"), shown, keyOf, createRow, changeRow);
  showAllButton(buckets.length);
  const runsOut = buckets.filter((it) => urgency(it) === "runs-out").length;
  const held = buckets.filter((it) => urgency(it) === "held").length;
  const parts = [`${buckets.length + more} ${buckets.length + more === 1 ? "allowance" : "allowances"}`];
  if (held) parts.push(`${held} without calls`);
  if (runsOut) parts.push(`${runsOut} will be gone too early`);
  if (more) parts.push(`${more} more are told by fleet-cache quota`);
  say(byId("quota-note"), buckets.length ? parts.join(", ") : "");
  showCurve(buckets.find(isChosen));
}

function showAllButton(count) {
  const button = byId("quota-all");
  button.hidden = count <= ROWS_FIRST;
  say(button, showsAll ? `Show the ${ROWS_FIRST} most urgent` : `Show all ${count}`);
  attribute(button, "aria-expanded", showsAll);
}

function createRow(bucket) {
  const name = make("button", { type: "button", class: "name" }, `${[bucket.domain, ...bucket.also].join(" + ")} `, make("span", { class: "resource" }, bucket.resource));
  name.addEventListener("click", () => {
    chosen = keyOf(bucket);
    show();
  });
  const meter = make("div", { class: "meter", role: "meter", "aria-valuemin": 0, "aria-label": `left of ${bucket.resource} of ${bucket.domain}` });
  meter.append(make("div", { class: "fill" }));
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    make("td", { class: "left" }, make("div", { class: "amount" }, meter, make("span", { class: "count" }))),
    make("td", { class: "figure rate", "data-label": "Per hour" }),
    make("td", { class: "figure reset", "data-label": "New at" }),
    make("td", { class: "forecast" }),
    make("td", { class: "hour" }),
  );
}

function changeRow(row, bucket) {
  const find = (name) => row.querySelector(name);
  attribute(row, "data-urgency", urgency(bucket));
  attribute(find("button"), "aria-pressed", isChosen(bucket));
  const remains = left(bucket);
  const words = `${number(remains)} of ${number(bucket.limit)}`;
  size(find(".fill"), remains / bucket.limit);
  changeMarks(find(".meter"), bucket, words);
  say(find(".count"), words);
  say(find(".rate"), bucket.per_hour === null ? "–" : number(bucket.per_hour));
  say(find(".reset"), bucket.reset <= now() ? "–" : moment(bucket.reset));
  say(find(".forecast"), forecast(bucket));
  find(".hour").replaceChildren(spark(pointsOf(bucket), bucket.limit));
}

function changeMarks(meter, bucket, words) {
  const kept = [["batch", bucket.batch_kept], ["normal", bucket.normal_kept]].filter(([, calls]) => calls > 0);
  const spoken = kept.map(([name, calls]) => `; ${number(calls)} kept from ${name}`).join("");
  attribute(meter, "aria-valuemax", bucket.limit);
  attribute(meter, "aria-valuenow", left(bucket));
  attribute(meter, "aria-valuetext", `${words}${spoken}`);
  attribute(meter, "title", `${words} left${spoken}`);
  for (const mark of meter.querySelectorAll(".mark")) if (!kept.some(([name]) => name === mark.dataset.name)) mark.remove();
  for (const [name, calls] of kept) {
    let mark = meter.querySelector(`[data-name="${name}"]`);
    if (!mark) meter.append((mark = make("span", { class: "mark", "data-name": name })));
    mark.style.left = `${((100 * calls) / bucket.limit).toFixed(2)}%`;
  }
}

/** The daemon's samples of the last hour, and how it stands now. */
function pointsOf(bucket) {
  const points = (curves.get(keyOf(bucket)) ?? []).filter(([at]) => at > now() - 3600);
  return [...points, [now(), left(bucket)]];
}

function showCurve(bucket) {
  const figure = byId("curve");
  figure.hidden = !bucket;
  if (!bucket) return;
  const points = pointsOf(bucket);
  say(byId("curve-title"), `${bucket.domain} ${bucket.resource}: ${forecast(bucket)}`);
  byId("curve-picture").replaceChildren(curve(bucket, points, Math.max(280, byId("curve-picture").clientWidth)));
  showCurveRows(bucket, points);
}

/** Every fifth minute, the latest first, and what is to come. */
function showCurveRows(bucket, points) {
  const rows = [];
  let last = Infinity;
  for (const [at, value] of [...points].reverse()) {
    if (last - at < 300) continue;
    rows.push([at > now() - 1 ? "now" : clock(at), number(value)]);
    last = at;
  }
  if (bucket.spent_at) rows.unshift([`${clock(bucket.spent_at)}, at this rate`, "0"]);
  if (bucket.reset > now()) rows.unshift([`${moment(bucket.reset)}, in ${span(bucket.reset - now())}`, `${number(bucket.limit)}, new`]);
  const create = () => make("tr", {}, make("td"), make("td", { class: "figure" }));
  keep(byId("curve-rows"), rows.map((row, place) => ({ row, place })), (it) => String(it.place), create, (element, { row }) => {
    row.forEach((text, place) => say(element.children[place], text));
  });
}

byId("quota-all").addEventListener("click", () => {
  showsAll = !showsAll;
  show();
});
