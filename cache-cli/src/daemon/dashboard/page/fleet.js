// The fleet as this node sees it: a picture of its links, and the same as a table.

import { attribute, byId, draw, keep, make, say } from "./elements.js";
import { clock, span } from "./words.js";

/** More members than this have no names in the picture; the table has them. */
const NAMED_MAX = 24;

const nameOf = (id) => (id ? `…${id.slice(-6)}` : "unknown");
const trip = (tenths) => (tenths === null ? "–" : `${(tenths / 10).toFixed(1)} ms`);
const kind = (peer) => ({ connected: "connected", silent: "silent" })[peer.state] ?? "away";

let told = null;

export function takeFleet(fleet) {
  told = fleet;
  show();
}

/** Draws it for the present width of the page. */
export function show() {
  if (!told) return;
  const fleet = told;
  const { peers, more } = fleet;
  const silent = peers.filter((peer) => kind(peer) === "silent").length;
  const gone = peers.filter((peer) => peer.state === "gone").length;
  const away = peers.filter((peer) => kind(peer) === "away").length - gone;
  const parts = fleet.id ? [`${fleet.connected + 1} nodes over ${fleet.transport}`] : [];
  if (silent) parts.push(`${silent} silent`);
  if (gone) parts.push(`${gone} gone`);
  if (away) parts.push(`${away} not connected`);
  if (more) parts.push(`${more} not shown`);
  say(byId("fleet-note"), parts.join(", "));
  byId("fleet-details").hidden = peers.length === 0;
  byId("fleet-picture").replaceChildren(fleet.id ? picture(fleet, parts.join(", ")) : alone(fleet));
  keep(byId("fleet-rows"), peers, (peer) => peer.id ?? peer.address ?? "", createRow, changeRow);
}

function alone(fleet) {
  return make("p", { class: "empty" }, `This node keeps to itself. Sharing is ${fleet.sharing}.`);
}

function createRow() {
  return make("tr", {}, make("th", { scope: "row" }), make("td"), make("td", { class: "figure" }), make("td", { class: "long" }), make("td", { class: "long" }));
}

function changeRow(row, peer) {
  const state = peer.wait === null ? peer.state : `${peer.state}, ${span(peer.wait)}`;
  const reason = peer.seen ? `last seen at ${clock(peer.seen)}` : (peer.reason ?? "");
  [nameOf(peer.id), state, trip(peer.round_trip), peer.address ?? "–", reason].forEach((text, place) => say(row.children[place], text));
  attribute(row.firstElementChild, "title", peer.id);
}

function picture(fleet, words) {
  const peers = [...fleet.peers].sort((a, b) => ((a.id ?? "") < (b.id ?? "") ? -1 : 1));
  // Drawn as large as it is shown, so that its words have the size of all others.
  const width = Math.max(280, byId("fleet-picture").clientWidth);
  const height = peers.length > 2 ? 280 : 90;
  const [middleX, middleY] = [width / 2, peers.length > 2 ? height / 2 - 8 : 26];
  const radius = peers.length > 2 ? [Math.min(200, width / 2 - 50), height / 2 - 50] : [Math.min(200, width / 2 - 50), 0];
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(draw("title", {}, `This node and its links: ${words}`));
  const places = peers.map((peer, place) => {
    const angle = (2 * Math.PI * place) / Math.max(1, peers.length) - (peers.length > 2 ? Math.PI / 2 : 0);
    return [peer, middleX + radius[0] * Math.cos(angle), middleY + radius[1] * Math.sin(angle)];
  });
  for (const [peer, x, y] of places) svg.append(draw("line", { class: `link ${kind(peer)}`, x1: middleX, y1: middleY, x2: x, y2: y }));
  for (const place of places) member(svg, place, peers.length <= NAMED_MAX);
  svg.append(
    draw("circle", { class: "node self", cx: middleX, cy: middleY, r: 11 }),
    draw("text", { class: "strong", x: middleX, y: middleY + 27, "text-anchor": "middle" }, `this node ${nameOf(fleet.id)}`),
  );
  return svg;
}

function member(svg, [peer, x, y], isNamed) {
  const state = kind(peer);
  svg.append(draw("circle", { class: `node ${state}`, cx: x, cy: y, r: isNamed ? 8 : 5 }, draw("title", {}, `${nameOf(peer.id)} ${peer.state}`)));
  if (!isNamed && state === "connected") return;
  const words = state === "connected" ? trip(peer.round_trip) : peer.state;
  svg.append(
    draw("text", { class: "strong", x, y: y + 22, "text-anchor": "middle" }, nameOf(peer.id)),
    draw("text", { class: state === "silent" || words === "gone" ? "trouble" : "", x, y: y + 35, "text-anchor": "middle" }, words),
  );
}
