// Which clients, routes and payers use what, and what was saved.

import { attribute, byId, keep, make, say, size } from "./elements.js";
import { bytes, latency, now, number, share, span } from "./words.js";

const TABS = ["client", "route", "payer"];

let told = null;
let by = "client";

export function takeUsage(usage) {
  told = usage;
  show();
}

export function show() {
  for (const name of TABS) {
    attribute(byId(`tab-${name}`), "aria-selected", name === by);
    attribute(byId(`tab-${name}`), "tabindex", name === by ? 0 : -1);
  }
  attribute(byId("usage-panel"), "aria-labelledby", `tab-${by}`);
  say(byId("usage-name"), by[0].toUpperCase() + by.slice(1));
  if (!told) return;
  const rows = told[`by_${by}`];
  byId("usage-table").hidden = rows.length === 0;
  byId("usage-empty").hidden = rows.length > 0;
  say(byId("usage-empty"), "No client has asked for anything yet.");
  const most = Math.max(1, ...rows.map((row) => row.calls));
  keep(byId("usage-rows"), rows, (row) => `${by} ${row.name}`, createRow, (element, row) => changeRow(element, row, most));
  const total = { ...told.total, name: "All" };
  keep(byId("usage-total"), rows.length > 1 ? [total] : [], () => "all", createRow, (element, row) => changeRow(element, row, null));
  showNote();
  showSaved(told.total);
}

function showNote() {
  const parts = [told.nodes === 1 ? "this node" : `${told.nodes} nodes`, `${span(Math.max(0, now() - told.at))} ago`];
  if (told.silent.length) parts.push(`no word from ${told.silent.map((id) => `…${id.slice(-6)}`).join(", ")}`);
  say(byId("usage-note"), `Since the start, counted by ${parts.join(", ")}.`);
}

function createRow() {
  const calls = make("div", { class: "bar-cell" }, make("div", { class: "bar", "aria-hidden": "true" }, make("div", { class: "fill" })), make("span", { class: "count" }));
  const figures = ["requests", "hits", "refused", "free", "points", "sent", "mean"].map((name) => make("td", { class: `figure ${name}` }));
  return make("tr", {}, make("th", { scope: "row", class: "long" }), make("td", {}, calls), ...figures);
}

function changeRow(element, row, most) {
  const put = (name, text) => say(element.querySelector(`.${name}`), text);
  say(element.firstElementChild, row.name);
  element.querySelector(".bar").hidden = most === null;
  size(element.querySelector(".fill"), row.calls / (most ?? 1));
  put("count", number(row.calls));
  put("requests", number(row.requests));
  put("hits", share(row.hits, row.requests));
  put("refused", number(row.refusals));
  element.querySelector(".refused").classList.toggle("some-refused", row.refusals > 0);
  put("free", number(row.not_modified));
  put("points", number(row.points));
  put("sent", bytes(row.bytes));
  put("mean", row.requests ? latency(row.latency_micros / row.requests) : "–");
}

function showSaved(total) {
  const tiles = [
    ["Calls saved", number(total.hits), `${share(total.hits, total.requests)} of ${number(total.requests)} requests`],
    ["Bytes not fetched", bytes(total.hit_bytes), `of ${bytes(total.bytes)} sent to clients`],
    ["Calls made", number(total.calls), `${number(total.not_modified)} of them free, by 304`],
    ["Refused", number(total.refusals), "for want of quota"],
  ];
  const create = () => make("div", {}, make("dt"), make("dd", {}, make("span"), make("small")));
  keep(byId("saved-tiles"), tiles, ([name]) => name, create, (element, [name, value, note]) => {
    say(element.querySelector("dt"), name);
    say(element.querySelector("span"), value);
    say(element.querySelector("small"), note);
  });
  say(byId("saved-note"), told.nodes === 1 ? "this node, since its start" : `${told.nodes} nodes, since their starts`);
}

export function takeNode(node) {
  const kinds = [
    ["hits", "from memory or disk", node.hits],
    ["peer", "by a member's entry", node.peer_hits],
    ["joined", "by another's call", node.collapsed],
    ["stale", "stale", node.stale_hits],
    ["misses", "by a call", node.misses],
  ];
  const all = kinds.reduce((sum, [, , count]) => sum + count, 0);
  keep(byId("saved-bar"), kinds, ([kind]) => kind, ([kind]) => make("span", { "data-kind": kind }), (element, [, , count]) => size(element, all ? count / all : 0));
  const create = ([kind]) => make("div", { "data-kind": kind }, make("dt"), make("dd"));
  keep(byId("saved-legend"), kinds, ([kind]) => kind, create, (element, [, name, count]) => {
    say(element.firstElementChild, name);
    say(element.lastElementChild, number(count));
  });
}

function choose(name, focuses) {
  by = name;
  show();
  if (focuses) byId(`tab-${name}`).focus();
}

for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => choose(name, false));

byId("usage-tabs").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const place = { Home: 0, End: TABS.length - 1 }[event.key] ?? (step && (TABS.indexOf(by) + step + TABS.length) % TABS.length);
  if (place === undefined) return;
  event.preventDefault();
  choose(TABS[place], true);
});

show();
