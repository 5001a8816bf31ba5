// Keeps the dashboard open for a while, and tells what the page's own memory comes to: node stay.mjs PLAN. At the end it takes the
// pictures of the page, which has a history by then.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const browser = await Chromium.start(plan.chromium);

/** Bytes in use once what nobody needs is gone, and how many elements there are. */
async function memory() {
  await browser.send("HeapProfiler.collectGarbage");
  const { metrics } = await browser.send("Performance.getMetrics");
  const told = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  return [told.JSHeapUsedSize, told.Nodes];
}

try {
  for (const domain of ["Page", "Runtime", "Performance"]) await browser.send(`${domain}.enable`);
  await browser.size(1280, 900);
  await browser.scheme("light");
  await browser.send("Page.navigate", { url: plan.page });
  await browser.until("the page lives", `document.querySelector("#live").innerText === "Live"`);
  const end = Date.now() + plan.seconds * 1000;
  while (Date.now() < end) {
    const [heap, nodes] = await memory();
    console.log(`page: ${Math.round(heap / 1024)} KiB, ${nodes} nodes`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(60_000, Math.max(0, end - Date.now()))));
  }
  // The allowance that is gone in some minutes makes a better picture than one of a minute.
  await browser.evaluate(`[...document.querySelectorAll('#quota-rows tr[data-urgency="runs-out"] button')]
    .find((it) => it.innerText.endsWith("core"))?.click()`);
  for (const scheme of ["light", "dark"]) {
    await browser.scheme(scheme);
    writeFileSync(join(plan.pictures, `after-${scheme}.png`), await browser.picture());
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.end();
}
process.exit();
