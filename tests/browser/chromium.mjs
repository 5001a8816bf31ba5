// A Chromium without a window, driven over a pipe by the DevTools protocol. Needs nothing but Node and Chromium.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ARGUMENTS = [
  "--headless=new",
  "--no-sandbox",
  "--remote-debugging-pipe",
  "--no-first-run",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-extensions",
  "--hide-scrollbars",
  "--force-color-profile=srgb",
  "--no-proxy-server",
];

/** How long a condition may take to come true, in milliseconds. */
const PATIENCE = 30_000;

export class Chromium {
  static async start(program) {
    const browser = new Chromium();
    browser.profile = mkdtempSync(join(tmpdir(), "fleet-cache-chromium-"));
    const args = [...ARGUMENTS, `--user-data-dir=${browser.profile}`, "about:blank"];
    browser.process = spawn(program, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.waiting = new Map();
    browser.listeners = [];
    browser.number = 0;
    browser.ended = new Promise((resolve) => browser.process.on("exit", resolve));
    browser.process.on("exit", () => browser.waiting.forEach(({ reject }) => reject(new Error("Chromium ended"))));
    let rest = "";
    browser.process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      messages.forEach((message) => browser.take(JSON.parse(message)));
    });
    const { targetInfos } = await browser.send("Target.getTargets");
    const target = targetInfos.find((it) => it.type === "page");
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId: target.targetId, flatten: true });
    browser.session = sessionId;
    return browser;
  }

  take(message) {
    const asked = this.waiting.get(message.id);
    if (!asked) return this.listeners.forEach((listener) => listener(message.method, message.params));
    this.waiting.delete(message.id);
    if (message.error) asked.reject(new Error(`${asked.method}: ${message.error.message}`));
    else asked.resolve(message.result);
  }

  send(method, params = {}) {
    const id = ++this.number;
    const message = this.session ? { id, method, params, sessionId: this.session } : { id, method, params };
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, method });
      this.process.stdio[3].write(`${JSON.stringify(message)}\0`);
    });
  }

  on(name, listener) {
    this.listeners.push((method, params) => method === name && listener(params));
  }

  /** What `expression` gives in the page. */
  async evaluate(expression) {
    const told = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (told.exceptionDetails) throw new Error(`${expression}: ${told.exceptionDetails.exception?.description}`);
    return told.result.value;
  }

  /** Waits until `expression` gives something true in the page, and returns it. */
  async until(what, expression) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      // While a document is being loaded, there is nothing to look at.
      const value = await this.evaluate(expression).catch(() => null);
      if (value) return value;
      if (Date.now() > end) throw new Error(`${what} did not come; the page says: ${await this.evaluate("document.body.innerText")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Presses a key and lets it go, as a person does. */
  async press(key, code = key, number = 0) {
    const event = { key, code, windowsVirtualKeyCode: number };
    const text = { Enter: "\r", " ": " " }[key];
    await this.send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...event, ...(text ? { text } : {}) });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  async size(width, height, scale = 1) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: scale, mobile: false });
  }

  async scheme(value) {
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  }

  /** The whole page as a PNG. */
  async picture() {
    const { cssContentSize } = await this.send("Page.getLayoutMetrics");
    const clip = { x: 0, y: 0, width: cssContentSize.width, height: cssContentSize.height, scale: 1 };
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true, clip });
    return Buffer.from(data, "base64");
  }

  async end() {
    this.session = null;
    this.send("Browser.close").catch(() => {});
    const late = setTimeout(() => this.process.kill("SIGKILL"), 5000);
    await this.ended;
    clearTimeout(late);
    // Its helpers may still be writing; what they leave is the system's to clear.
    try {
      rmSync(this.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    } catch (error) {
      console.log(`left: ${error.path}`);
    }
  }
}
