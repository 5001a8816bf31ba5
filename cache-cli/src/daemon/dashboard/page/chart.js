// Curves of what was left of an allowance: a small one for each row, a large one for the row that is chosen.

import { draw } from "./elements.js";
import { clock, left, moment, now, number, urgency } from "./words.js";

const HOUR = 3600;

/** The points of a curve, with a step where a new window begins. */
function path(points, x, y) {
  let text = "";
  let before = null;
  for (const [at, value] of points) {
    if (before === null) text = `M${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    else {
      if (value > before) text += `L${x(at).toFixed(1)} ${y(before).toFixed(1)}`;
      text += `L${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    }
    before = value;
  }
  return text;
}

function area(points, x, y) {
  if (points.length < 2) return "";
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  return `${path(points, x, y)}L${x(last).toFixed(1)} ${y(0)}L${x(first).toFixed(1)} ${y(0)}Z`;
}

export function spark(points, limit) {
  const [width, height, end] = [130, 26, now()];
  const x = (at) => width * (1 - (end - at) / HOUR);
  const y = (value) => height - 1 - (height - 2) * Math.min(1, value / limit);
  const picture = draw("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.append(
    draw("line", { class: "axis", x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 }),
    draw("path", { class: "area", d: area(points, x, y) }),
    draw("path", { class: "line", d: path(points, x, y), "vector-effect": "non-scaling-stroke" }),
  );
  return picture;
}

/** The hour behind and the time until the window ends, as wide as it is shown. */
export function curve(bucket, points, width) {
  const height = 190;
  const edge = { top: 14, right: 12, bottom: 22, left: 46 };
  const begin = now() - HOUR;
  const end = now() + Math.min(HOUR, Math.max(600, (bucket.reset - now()) * 1.08));
  const x = (at) => edge.left + ((at - begin) / (end - begin)) * (width - edge.left - edge.right);
  const y = (value) => height - edge.bottom - (Math.min(bucket.limit, value) / bucket.limit) * (height - edge.top - edge.bottom);
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  picture.append(draw("title", {}, `What was left of ${bucket.resource} of ${bucket.domain} in the last hour, and the forecast`));
  axes(picture, bucket, { x, y, begin, end, width, height, edge });
  picture.append(
    draw("path", { class: "area", d: area(points, x, y) }),
    draw("path", { class: "line", d: path(points, x, y) }),
  );
  reserves(picture, bucket, { x, y, width, edge });
  ahead(picture, bucket, { x, y, width, edge, height });
  return picture;
}

function axes(picture, bucket, { x, y, begin, end, width, height, edge }) {
  for (const value of [0, bucket.limit / 2, bucket.limit]) {
    picture.append(
      draw("line", { class: "axis", x1: edge.left, x2: width - edge.right, y1: y(value), y2: y(value) }),
      draw("text", { x: edge.left - 6, y: y(value) + 4, "text-anchor": "end" }, number(Math.round(value))),
    );
  }
  const step = width < 560 ? 1800 : 900;
  for (let at = Math.ceil(begin / step) * step; at < end; at += step) {
    if (x(at) < edge.left + 14 || x(at) > width - 24 || Math.abs(x(at) - x(now())) < 40) continue;
    picture.append(draw("text", { x: x(at), y: height - 6, "text-anchor": "middle" }, clock(at)));
  }
  picture.append(
    draw("line", { class: "now", x1: x(now()), x2: x(now()), y1: edge.top - 4, y2: height - edge.bottom }),
    draw("text", { class: "strong", x: x(now()), y: height - 6, "text-anchor": "middle" }, "now"),
  );
}

function reserves(picture, bucket, { y, width, edge }) {
  for (const [name, kept] of [["batch", bucket.batch_kept], ["normal", bucket.normal_kept]]) {
    if (!kept) continue;
    picture.append(
      draw("line", { class: "reserve", x1: edge.left, x2: width - edge.right, y1: y(kept), y2: y(kept) }),
      draw("text", { x: edge.left + 6, y: y(kept) - 4 }, `${name} stops at ${number(kept)}`),
    );
  }
}

/** What happens at the present rate: the end of what is left, or of the window. */
function ahead(picture, bucket, { x, y, width, edge, height }) {
  const state = urgency(bucket);
  if (state === "over") return;
  const reset = x(bucket.reset);
  if (reset <= width - edge.right) {
    picture.append(
      draw("line", { class: "axis", x1: reset, x2: reset, y1: edge.top, y2: height - edge.bottom }),
      draw("text", { x: reset - 4, y: edge.top + 4, "text-anchor": "end" }, `new at ${moment(bucket.reset)}`),
    );
  }
  if (bucket.per_hour === null || state === "held") return;
  const runsOut = bucket.spent_at !== null;
  const at = runsOut ? bucket.spent_at : bucket.reset;
  const value = runsOut ? 0 : Math.max(0, left(bucket) - (bucket.per_hour * (bucket.reset - now())) / HOUR);
  picture.append(
    draw("path", { class: runsOut ? "ahead runs-out" : "ahead", d: path([[now(), left(bucket)], [at, value]], x, y) }),
  );
  if (runsOut) {
    const anchor = x(at) > width - 120 ? "end" : "start";
    picture.append(draw("text", { class: "runs-out-text", x: x(at) + (anchor === "end" ? -8 : 8), y: y(0) - 8, "text-anchor": anchor }, `gone at ${moment(at)}`));
  }
}
