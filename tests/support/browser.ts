// Chromium without a window, which opens browser_page.ts from a web server of the test's.
import { ChildOutput } from "./child_output.ts";
import { endChild } from "./end_child.ts";
import { serveOnLoopback } from "./loopback_server.ts";
import { spawnChromium } from "./spawn_chromium.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const REPORT_WITHIN_MS = 60_000;

export interface PageOptions {
  /** The host name of the page's origin. Chromium resolves every name to this machine. */
  readonly host: string;
  readonly gateway: string;
  readonly token: string;
}

/** A web server with the page. */
export class PageServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #folder: string;
  #report = Promise.withResolvers<unknown>();

  private constructor(script: string, folder: string) {
    this.#folder = folder;
    this.#server = serveOnLoopback(async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/report") {
        this.#report.resolve(await request.json());
        return new Response(null, { status: 204 });
      }
      return pathname === "/page.js"
        ? new Response(script, { headers: { "content-type": "text/javascript" } })
        : new Response('<!doctype html><script type="module" src="/page.js"></script>', {
          headers: { "content-type": "text/html" },
        });
    });
    this.port = this.#server.addr.port;
  }

  static async start(): Promise<PageServer> {
    const folder = await Deno.makeTempDir({ prefix: "sluice_page_" });
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--quiet",
        "--platform=browser",
        "-o",
        `${folder}/page.js`,
        "tests/support/browser_page.ts",
      ],
      cwd: ROOT,
      stdout: "null",
    }).output();
    if (!success) throw new Error(`deno bundle failed:\n${new TextDecoder().decode(stderr)}`);
    return new PageServer(await Deno.readTextFile(`${folder}/page.js`), folder);
  }

  /** Opens the page in a browser of its own. @returns what the page reports */
  // deno-lint-ignore no-explicit-any -- what is read is asserted
  async open({ host, gateway, token }: PageOptions): Promise<any> {
    this.#report = Promise.withResolvers();
    const profile = await Deno.makeTempDir({ dir: this.#folder });
    const query = new URLSearchParams({ gateway, token });
    const child = spawnChromium({
      profile,
      url: `http://${host}:${this.port}/?${query}`,
      args: [`--host-resolver-rules=MAP ${host} 127.0.0.1`],
    });
    const stderr = new ChildOutput(child.stderr);
    const late = setTimeout(
      () => this.#report.reject(new Error(`The page has not reported:\n${stderr.tail()}`)),
      REPORT_WITHIN_MS,
    );
    try {
      return await this.#report.promise;
    } finally {
      clearTimeout(late);
      await endChild(child, "SIGKILL");
      await stderr.ended;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
