// Looks at the dashboard in a real Chromium, as a person would: node dashboard.mjs PLAN, where PLAN is a file of JSON that says
// where the page and the door are, and what the daemon's commands tell. Prints what holds; ends with 1 at what does not.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Chromium } from "./chromium.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const browser = await Chromium.start(plan.chromium);
const seen = { urls: [], faults: [] };

const number = (value) => new Intl.NumberFormat("en").format(value);
const text = (selector) => `document.querySelector(${JSON.stringify(selector)}).innerText`;
const holds = (what) => console.log(`holds: ${what}`);

function listen() {
  browser.on("Network.requestWillBeSent", ({ request: { url } }) => seen.urls.push(url));
  browser.on("Runtime.exceptionThrown", ({ exceptionDetails }) => seen.faults.push(exceptionDetails.exception?.description));
  browser.on("Runtime.consoleAPICalled", ({ type, args }) => seen.faults.push(`${type}: ${args.map((it) => it.value).join(" ")}`));
  browser.on("Log.entryAdded", ({ entry }) => seen.faults.push(`${entry.source}: ${entry.text} ${entry.url ?? ""}`));
}

async function open() {
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await browser.send(`${domain}.enable`);
  listen();
  await browser.size(1280, 900);
  await browser.scheme("light");
  await browser.send("Page.navigate", { url: plan.page });
  await browser.until("the page lives", `${text("#live")} === "Live"`);
  await browser.until("the members were asked", `document.querySelector("#usage-rows").children.length > 0`);
  await browser.until("the doctor looked", `/^looked/.test(${text("#doctor-note")})`);
}

async function numbersAreThoseOfTheDaemon() {
  for (const quota of plan.quotas) {
    const row = await browser.evaluate(`[...document.querySelectorAll("#quota-rows tr")].map((it) => it.innerText)
      .find((it) => it.startsWith(${JSON.stringify(`${quota.domain} ${quota.resource}`)}))`);
    assert.ok(row, `there is a row for ${quota.domain} ${quota.resource}`);
    assert.ok(row.includes(`${number(quota.remaining)} of ${number(quota.limit)}`), `${row} has ${quota.remaining}`);
  }
  assert.equal(await browser.evaluate(`document.querySelectorAll("#quota-rows tr").length`), Math.min(10, plan.quotas.length));
  for (const by of ["client", "route", "payer"]) {
    await browser.evaluate(`document.querySelector("#tab-${by}").click()`);
    const rows = await browser.evaluate(`[...document.querySelectorAll("#usage-rows tr")]
      .map((row) => [row.querySelector("th").innerText, row.querySelector(".count").innerText, row.querySelector(".requests").innerText])`);
    const told = plan.top[by].slice(0, 11).map((row) => [row.name, number(row.calls), number(row.requests)]);
    assert.deepEqual(rows.slice(0, told.length), told, by);
  }
  await browser.evaluate(`document.querySelector("#tab-client").click()`);
  const tiles = await browser.evaluate(text("#saved-tiles"));
  assert.ok(tiles.includes(number(plan.total.hits)) && tiles.includes(number(plan.total.calls)), tiles);
  const names = plan.peers.map((id) => `…${id.slice(-6)}`);
  const picture = await browser.evaluate(`document.querySelector("#fleet-picture svg").textContent`);
  for (const name of names) assert.ok(picture.includes(name), `${name} is in the picture: ${picture}`);
  const refusals = await browser.evaluate(text("#refusals-rows"));
  assert.ok(refusals.includes(plan.refused), `${plan.refused} is among ${refusals}`);
  holds("the page shows the numbers that the daemon tells");
}

async function followsWhatHappens() {
  const calls = () => browser.evaluate(`${text("#saved-legend")}`);
  const before = await calls();
  await new Promise((resolve, reject) => {
    const headers = { authorization: `token ${plan.token}`, "user-agent": "browser-test" };
    request(`${plan.door}/repos/acme/widget-777`, { headers }, (answer) => answer.resume().on("end", resolve)).on("error", reject).end();
  });
  await browser.until("the page follows", `${text("#saved-legend")} !== ${JSON.stringify(before)}`);
  holds("the page follows what happens, without being loaded again");
}

const FOCUSABLE = `[...document.querySelectorAll('a[href], button, summary, [tabindex="0"]')]
  .filter((it) => it.checkVisibility() && it.tabIndex >= 0)`;
const FOCUSED = `(() => { const it = document.activeElement; return it === document.body ? null : ${FOCUSABLE}.indexOf(it); })()`;

async function worksByKeyboard() {
  await browser.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)");
  const wanted = await browser.evaluate(`${FOCUSABLE}.map((it) => it.id || it.innerText.slice(0, 40))`);
  const reached = new Set();
  for (let press = 0; press < wanted.length + 5; press += 1) {
    await browser.press("Tab", "Tab", 9);
    const place = await browser.evaluate(FOCUSED);
    if (place === null) continue;
    reached.add(place);
    const ring = await browser.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert.notEqual(ring, "none", `${wanted[place]} shows that it has the focus`);
  }
  const missed = wanted.filter((_, place) => !reached.has(place));
  assert.deepEqual(missed, [], "the tabulator reaches everything");
  await browser.evaluate(`document.querySelector("#tab-client").focus()`);
  await browser.press("ArrowRight", "ArrowRight", 39);
  assert.equal(await browser.evaluate("document.activeElement.id"), "tab-route");
  assert.equal(await browser.evaluate(text("#usage-name")), "Route");
  await browser.press("Home", "Home", 36);
  assert.equal(await browser.evaluate(text("#usage-name")), "Client");
  const second = await browser.evaluate(`(() => {
    const button = document.querySelectorAll("#quota-rows button")[1]; button.focus(); return button.innerText; })()`);
  await browser.press("Enter", "Enter", 13);
  await browser.until("the chosen curve", `${text("#curve-title")}.startsWith(${JSON.stringify(second)})`);
  // A tick later the focus is still there: what has not changed was not made anew.
  const tick = await browser.evaluate("document.title + performance.now()");
  await browser.until("another tick", `performance.now() > ${Number(tick.match(/[\d.]+$/)[0]) + 2500}`);
  assert.equal(await browser.evaluate("document.activeElement.innerText"), second);
  await browser.evaluate(`document.querySelector("#curve summary").focus()`);
  await browser.press("Enter", "Enter", 13);
  await browser.until("the table of the curve", `document.querySelector("#curve details").open`);
  await browser.press("Enter", "Enter", 13);
  await browser.evaluate(`document.querySelectorAll("#quota-rows button")[0].click()`);
  holds(`a keyboard reaches all ${wanted.length} controls and works them`);
}

async function isNamedForScreenReaders() {
  await browser.send("Accessibility.enable");
  const { nodes } = await browser.send("Accessibility.getFullAXTree");
  const roles = new Map();
  for (const { role, name, ignored } of nodes) {
    if (ignored) continue;
    if (!roles.has(role.value)) roles.set(role.value, []);
    roles.get(role.value).push(name?.value ?? "");
  }
  for (const role of ["button", "tab", "meter", "image", "region", "heading", "columnheader", "rowheader"]) {
    const names = roles.get(role) ?? [];
    assert.ok(names.length > 0 && names.every((name) => name !== ""), `every ${role} has a name: ${JSON.stringify(names)}`);
  }
  assert.equal(roles.get("status").length, 1, "one part alone speaks by itself");
  holds("everything has a name for screen readers");
}

/** How much two colours differ in brightness, by WCAG 2. */
function contrast(one, other) {
  const brightness = (colour) => {
    const [r, g, b] = colour.match(/\d+/g).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, light] = [brightness(one), brightness(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

async function isLegibleInBothSchemes() {
  const grounds = [];
  for (const scheme of ["light", "dark"]) {
    await browser.scheme(scheme);
    const colours = await browser.evaluate(`(() => {
      const probe = document.createElement("i"); document.body.append(probe);
      const found = Object.fromEntries(["text", "soft", "left", "warn", "bad", "good"].map((name) => {
        probe.style.color = "var(--" + name + ")"; return [name, getComputedStyle(probe).color]; }));
      probe.remove();
      return { ...found, panel: getComputedStyle(document.querySelector(".panel")).backgroundColor, ground: getComputedStyle(document.body).backgroundColor };
    })()`);
    grounds.push(colours.ground);
    for (const name of ["text", "soft", "left", "warn", "bad", "good"]) {
      for (const behind of ["panel", "ground"]) {
        const found = contrast(colours[name], colours[behind]);
        assert.ok(found >= 4.5, `${scheme}: ${name} on ${behind} has a contrast of ${found.toFixed(2)}`);
      }
    }
    writeFileSync(join(plan.pictures, `dashboard-${scheme}.png`), await browser.picture());
  }
  assert.notEqual(grounds[0], grounds[1]);
  holds("the page is legible in light and in dark");
}

async function fitsAPhone() {
  await browser.scheme("light");
  await browser.size(390, 844, 2);
  await browser.until("the curve is as wide as the phone", `document.querySelector("#curve svg").viewBox.baseVal.width < 400`);
  const width = await browser.evaluate("document.documentElement.scrollWidth");
  assert.ok(width <= 390, `the page is ${width} wide`);
  writeFileSync(join(plan.pictures, "dashboard-phone.png"), await browser.picture());
  await browser.size(1280, 900);
  holds("the page fits a phone");
}

function nothingLeft() {
  const origin = new URL(plan.page).origin;
  const foreign = seen.urls.filter((url) => new URL(url).origin !== origin);
  assert.deepEqual(foreign, [], "nothing is asked of another origin");
  assert.ok(seen.urls.length >= 10, seen.urls.join(" "));
  assert.deepEqual(seen.faults, [], "the browser has no complaint");
  holds(`all ${seen.urls.length} requests went to the page's own address, and the browser has no complaint`);
}

async function saysThatTheDaemonIsGone() {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log("end the daemon");
  await lines.next();
  await browser.until("the page notices", `/No answer/.test(${text("#live")})`);
  await browser.until("it is said aloud", `/does not answer/.test(${text("#alert")})`);
  assert.ok((await browser.evaluate(text("#quota-rows"))).length > 0, "the last figures stay");
  holds("the page says that the daemon is gone and keeps the last figures");
}

try {
  await open();
  await numbersAreThoseOfTheDaemon();
  await followsWhatHappens();
  await worksByKeyboard();
  await isNamedForScreenReaders();
  await isLegibleInBothSchemes();
  await fitsAPhone();
  nothingLeft();
  await saysThatTheDaemonIsGone();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.end();
  process.stdin.unref?.();
}
process.exit();
