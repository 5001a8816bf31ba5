// Numbers, times and forecasts in words.

const grouped = new Intl.NumberFormat("en");
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const second = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** How far the daemon's clock is ahead of the browser's, in seconds. */
let ahead = 0;

export function setNow(seconds) {
  ahead = seconds - Date.now() / 1000;
}

/** The daemon's time, in seconds since 1970. */
export const now = () => Date.now() / 1000 + ahead;

export const number = (value) => grouped.format(value);

export const clock = (seconds) => minute.format(new Date(seconds * 1000));

export const clockWithSeconds = (seconds) => second.format(new Date(seconds * 1000));

/** A moment: with seconds if it is close, since then they matter. */
export const moment = (seconds) => (Math.abs(seconds - now()) < 120 ? clockWithSeconds(seconds) : clock(seconds));

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  if (whole < 172800) return `${Math.round(whole / 3600)} h`;
  return `${Math.round(whole / 86400)} days`;
}

export function share(part, whole) {
  if (!whole) return "–";
  const percent = (100 * part) / whole;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.floor(percent)} %`;
}

export function bytes(value) {
  for (const [unit, name] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (value >= unit) return `${(value / unit).toFixed(value < 10 * unit ? 1 : 0)} ${name}`;
  }
  return `${value} B`;
}

export function latency(micros) {
  if (micros < 1000) return `${(micros / 1000).toFixed(2)} ms`;
  return micros < 1e6 ? `${(micros / 1000).toFixed(1)} ms` : `${(micros / 1e6).toFixed(1)} s`;
}

/** Where an allowance stands: held, runs-out, lasts or over. As the daemon sorts them. */
export function urgency(bucket) {
  if (bucket.paused_until > now()) return "held";
  if (bucket.reset <= now()) return "over";
  return bucket.spent_at || bucket.remaining === 0 ? "runs-out" : "lasts";
}

export function left(bucket) {
  return bucket.reset <= now() ? bucket.limit : bucket.remaining;
}

export function forecast(bucket) {
  const state = urgency(bucket);
  if (state === "held" && bucket.paused_by === "pace") {
    return `called too often: no calls until ${moment(bucket.paused_until)}`;
  }
  if (state === "held") return `spent: no calls until ${moment(bucket.paused_until)}`;
  if (state === "over") return "a new window has begun";
  if (bucket.remaining === 0) return `spent, new at ${moment(bucket.reset)}`;
  if (bucket.spent_at) {
    const before = span(bucket.reset - bucket.spent_at);
    return `gone at ${moment(bucket.spent_at)} at this rate, ${before} before it is new`;
  }
  return bucket.per_hour === null ? "too few calls to tell" : "lasts";
}
