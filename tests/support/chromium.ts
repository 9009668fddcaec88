// A tab of Chromium without a window, driven by the DevTools protocol (chromedevtools.github.io/devtools-protocol).
import { ChildOutput } from "./child_output.ts";
import { endChild } from "./end_child.ts";
import { spawnChromium } from "./spawn_chromium.ts";
import { waitFor } from "./wait_for.ts";

export interface Viewport {
  readonly width: number;
  readonly height: number;
  readonly theme: "light" | "dark";
}

export class Chromium implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: ChildOutput;
  readonly #profile: string;
  #socket!: WebSocket;
  #nextId = 1;
  readonly #answers = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  /** Messages of the page's console and log, violations of its policy among them. */
  readonly messages: string[] = [];

  private constructor(child: Deno.ChildProcess, profile: string) {
    this.#child = child;
    this.#stderr = new ChildOutput(child.stderr);
    this.#profile = profile;
  }

  static async start(): Promise<Chromium> {
    const profile = await Deno.makeTempDir({ prefix: "sluice_chromium_" });
    const child = spawnChromium({ profile, url: "about:blank", args: ["--hide-scrollbars"] });
    const chromium = new Chromium(child, profile);
    await chromium.#connect();
    return chromium;
  }

  async #connect(): Promise<void> {
    const file = `${this.#profile}/DevToolsActivePort`;
    const port = await waitFor(async () => {
      const text = await Deno.readTextFile(file).catch(() => "");
      return text.includes("\n") ? text.split("\n")[0] : null;
    }, { what: "the port of Chromium's DevTools" });
    const tabs = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
    const tab = tabs.find(({ type }: { type: string }) => type === "page");
    this.#socket = new WebSocket(tab.webSocketDebuggerUrl);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.onopen = () => resolve();
    this.#socket.onerror = () => reject(new Error(`Chromium cannot be driven:\n${this.#stderr.tail()}`));
    this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    await promise;
    for (const domain of ["Page", "Runtime", "Log"]) await this.send(`${domain}.enable`);
  }

  // deno-lint-ignore no-explicit-any -- the protocol's messages have any shape
  #take({ id, result, error, method, params }: any): void {
    if (id !== undefined) {
      const answer = this.#answers.get(id);
      this.#answers.delete(id);
      if (error !== undefined) answer?.reject(new Error(error.message));
      else answer?.resolve(result);
    } else if (method === "Log.entryAdded") this.messages.push(params.entry.text);
    else if (method === "Runtime.exceptionThrown") this.messages.push(params.exceptionDetails.text);
  }

  // deno-lint-ignore no-explicit-any -- the protocol's results have any shape
  async send(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<any> {
    const answer = Promise.withResolvers<Record<string, unknown>>();
    const id = this.#nextId++;
    this.#answers.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return await answer.promise;
  }

  async open(url: string, { width, height, theme }: Viewport): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: width < 600 },
    });
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: theme }],
    });
    const { loaderId } = await this.send("Page.navigate", { url });
    await waitFor(async () => {
      // The document before may have the same address. Only a move within a document has no loader.
      const { frameTree: { frame } } = await this.send("Page.getFrameTree");
      return (loaderId ?? frame.loaderId) === frame.loaderId &&
        await this.evaluate(`location.href === ${JSON.stringify(url)} && document.readyState === "complete"`);
    }, { what: `the page ${url}` });
  }

  /** The value of an expression in the page. A page's policy does not concern it. */
  // deno-lint-ignore no-explicit-any -- what is read is asserted
  async evaluate(expression: string): Promise<any> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description);
    return result.value;
  }

  async press(key: string): Promise<void> {
    const text = key === "Enter" ? "\r" : undefined;
    for (const type of ["keyDown", "keyUp"]) {
      await this.send("Input.dispatchKeyEvent", {
        type,
        key,
        code: key,
        text,
        windowsVirtualKeyCode: KEY_CODES[key],
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await endChild(this.#child, "SIGKILL");
    await this.#stderr.ended;
    await Deno.remove(this.#profile, { recursive: true });
  }
}

const KEY_CODES: Readonly<Record<string, number>> = { Tab: 9, Enter: 13 };
