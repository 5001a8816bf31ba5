// What went wrong: the latest refusals, and what the doctor finds.

import { byId, keep, make, say } from "./elements.js";
import { moment, now, number, span } from "./words.js";

const WHY = {
  origin: "GitHub refused it",
  pace: "the payer called too often",
  reserved: "the rest is kept for others",
  spent: "the allowance is spent",
};

let refusals = [];
let doctor = null;

export function takeRefusals(told) {
  refusals = told;
  showRefusals();
}

function showRefusals() {
  byId("refusals-scroll").hidden = refusals.length === 0;
  byId("refusals-empty").hidden = refusals.length > 0;
  const key = (it) => [it.client, it.route, it.payer, it.resource, it.reason, it.status].join("\n");
  keep(byId("refusals-rows"), refusals, key, createRefusal, changeRefusal);
}

function createRefusal() {
  const [client, route] = [make("span", { class: "client" }), make("span", { class: "route soft" })];
  const [payer, resource] = [make("span", { class: "payer" }), make("span", { class: "resource" })];
  return make(
    "tr",
    {},
    make("td", { class: "last" }),
    make("th", { scope: "row", class: "long" }, client, make("br"), route),
    make("td", {}, payer, " ", resource),
    make("td", { class: "why long" }),
    make("td", { class: "figure times" }),
    make("td", { class: "figure again" }),
  );
}

function changeRefusal(row, it) {
  const put = (name, text) => say(row.querySelector(`.${name}`), text);
  put("last", `${span(now() - it.at)} ago`);
  put("client", it.client);
  put("route", it.route);
  put("payer", it.payer);
  put("resource", it.resource);
  put("why", WHY[it.reason] ?? it.reason);
  put("times", number(it.count));
  put("again", it.again_at > now() ? moment(it.again_at) : "now");
  if (it.again_at === null) put("again", "–");
}

export function takeDoctor(told) {
  doctor = told;
  const wrong = doctor.checks.filter((check) => check.state !== "ok");
  const well = doctor.checks.filter((check) => check.state === "ok").map((check) => check.name);
  keep(byId("doctor-findings"), wrong, (check) => `${check.name} ${check.finding}`, createFinding, changeFinding);
  say(byId("doctor-well"), well.length ? `All is well with ${well.join(", ")}.` : "");
  showAge();
}

function createFinding() {
  return make("li", {}, make("span", { class: "verdict" }), make("strong", { class: "what" }), " ", make("span", { class: "finding" }), make("div", { class: "remedy" }));
}

function changeFinding(item, check) {
  item.querySelector(".verdict").className = `verdict ${check.state}`;
  say(item.querySelector(".verdict"), check.state === "failed" ? "Failed" : "Warning");
  say(item.querySelector(".what"), check.name);
  say(item.querySelector(".finding"), check.finding);
  say(item.querySelector(".remedy"), check.remedy ? `Remedy: ${check.remedy}` : "");
}

/** What keeps the node from sharing, in a sentence each. */
export function alerts() {
  const failed = doctor ? doctor.checks.filter((check) => check.state === "failed" && check.cause !== "sharing-off") : [];
  return failed.map((check) => `Doctor: ${check.name}: ${check.finding}.`);
}

function showAge() {
  if (doctor) say(byId("doctor-note"), `looked ${span(now() - doctor.at)} ago`);
}

export function show() {
  showRefusals();
  showAge();
}
