// `sluice serve` as a child process: from source, or the compiled program.

import { ChildOutput } from "./child_output.ts";
import { freePort } from "./free_port.ts";
import { type Answer, askApi, registerUpstream } from "./gateway_api.ts";
import { listeningSockets } from "./process_stats.ts";
import { mintToken, type TokenOptions } from "./tokens.ts";
import { PERMISSION_FLAGS } from "../../scripts/permission_flags.ts";
import { waitFor } from "./wait_for.ts";

export interface SluiceOptions {
  /** A compiled program; default: src/main.ts under the Deno that runs the test. */
  readonly program?: string;
  /** The log does not come to `stdout`. */
  readonly logsElsewhere?: boolean;
  /** The words in front of its command line: a program that becomes the gateway, such as setpriv. */
  readonly launcher?: readonly string[];
  /** From source: its permissions as flags of Deno; default: those of `deno task sluice`. */
  readonly permissions?: readonly string[];
  /** Another main module than src/main.ts: its path, from the root of the project where it is relative. */
  readonly main?: string;
  /** Further arguments of `serve`. */
  readonly args?: readonly string[];
  /** Settings, over the defaults below. WORKERS is a number (default 2), PORT a free one unless it is given. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs and keeps its database; default: a temporary folder, which is removed with it. */
  readonly cwd?: string;
  /** How long /ready may take, ms. */
  readonly readyWithinMs?: number;
}

export type { Answer } from "./gateway_api.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const STOP_WITHIN_MS = 30_000;

/** A running gateway. `await using sluice = await Sluice.start()` stops it at the end of the block. */
export class Sluice implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly cwd: string;
  readonly workers: number;
  /** As a gateway that is one process. */
  readonly processes: readonly Sluice[] = [this];
  /** The JWT_SECRET_KEY that it was given. */
  readonly secret: string;
  readonly stdout: ChildOutput;
  readonly stderr: ChildOutput;
  readonly #child: Deno.ChildProcess;
  readonly #exited: Promise<number>;
  /** What a client needs that is not Deno's own: trust in the gateway's certificate, and HTTP/2 where it serves nothing else. */
  readonly clientOptions: Deno.CreateHttpClientOptions | undefined;
  readonly #client: Deno.HttpClient | undefined;
  readonly #ownsFolder: boolean;
  #exitCode: number | undefined;
  #adminToken: string | undefined;

  private constructor(
    child: Deno.ChildProcess,
    from: {
      port: number;
      cwd: string;
      secret: string;
      workers: number;
      ownsFolder: boolean;
      certificate: string | undefined;
      isHttp2: boolean;
    },
  ) {
    this.#child = child;
    this.pid = child.pid;
    this.port = from.port;
    const isTls = from.certificate !== undefined;
    this.url = `${isTls ? "https" : "http"}://127.0.0.1:${from.port}`;
    this.clientOptions = isTls || from.isHttp2
      ? { caCerts: isTls ? [from.certificate!] : [], http1: !from.isHttp2, http2: true }
      : undefined;
    this.#client = this.clientOptions && Deno.createHttpClient(this.clientOptions);
    this.cwd = from.cwd;
    this.secret = from.secret;
    this.#ownsFolder = from.ownsFolder;
    this.workers = from.workers;
    this.stdout = new ChildOutput(child.stdout);
    this.stderr = new ChildOutput(child.stderr);
    this.#exited = child.status.then(async ({ code }) => {
      await Promise.all([this.stdout.ended, this.stderr.ended]);
      return this.#exitCode = code;
    });
  }

  /**
   * Starts a gateway with two workers on a free port of 127.0.0.1, and waits until it is ready, and its demo upstream with it.
   * @throws {Error} with its output, where it ends or is not ready in time
   */
  static async start(options: SluiceOptions = {}): Promise<Sluice> {
    const sluice = await Sluice.spawn(options);
    try {
      await waitFor(async () => {
        if (sluice.exitCode !== undefined) return true;
        const response = await fetch(`${sluice.url}/ready`, { client: sluice.#client });
        await response.body?.cancel();
        // The first worker that is ready answers; a test means all of them.
        return response.ok && listeningSockets(sluice.port).length === sluice.workers;
      }, { what: "/ready and all workers", deadlineMs: options.readyWithinMs ?? 120_000 });
      if (sluice.exitCode !== undefined) throw new Error(`It ended with exit code ${sluice.exitCode}`);
      // Its line comes after all those of the start, which tests read in the log. The pipe is slower than the socket.
      if (options.logsElsewhere !== true && showsInfo(options.env)) await sluice.logged("serving");
      return sluice;
    } catch (error) {
      await sluice.kill();
      await sluice[Symbol.asyncDispose]();
      throw new Error(`sluice did not start:\n${sluice.stdout.tail()}\n${sluice.stderr.tail()}`, {
        cause: error,
      });
    }
  }

  /** Starts one without waiting: for tests of start-up failures, which then await `exit()`. */
  static async spawn(options: SluiceOptions = {}): Promise<Sluice> {
    const { program, launcher = [], main = "src/main.ts", args = [], env = {}, cwd } = options;
    const { permissions = PERMISSION_FLAGS } = options;
    const port = Number(env.PORT ?? freePort());
    const workers = Number(env.WORKERS ?? 2);
    const secret = env.JWT_SECRET_KEY ?? crypto.randomUUID().repeat(2);
    const folder = cwd ?? await Deno.makeTempDir({ prefix: "sluice_test_" });
    const fromSource = [
      "run",
      ...permissions,
      "--quiet",
      "--config",
      `${ROOT}deno.json`,
      new URL(main, `file://${ROOT}`).pathname,
    ];
    const serve = [
      program ?? Deno.execPath(),
      ...(program === undefined ? fromSource : []),
      "serve",
      ...args,
    ];
    const [command, ...words] = [...launcher, ...serve];
    const child = new Deno.Command(command!, {
      args: words,
      cwd: folder,
      clearEnv: true,
      env: {
        ...inherited("PATH", "HOME", "DENO_DIR", "TMPDIR"),
        NO_COLOR: "1",
        HOST: "127.0.0.1",
        WORKERS: String(workers),
        SSRF_ALLOW_LOCALHOST: "true",
        ...env,
        PORT: String(port),
        JWT_SECRET_KEY: secret,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const certificate = env.SSL === "true" && env.CERT_FILE ? readIfThere(env.CERT_FILE) : undefined;
    return new Sluice(child, {
      port,
      cwd: folder,
      secret,
      workers,
      ownsFolder: cwd === undefined,
      certificate,
      isHttp2: env.HTTP_VERSION === "2",
    });
  }

  /** undefined while it runs. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Its log so far: the lines of standard output that are JSON objects. */
  log(): Record<string, unknown>[] {
    return this.stdout.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** The first line of its log with that event, once it is there: it may come after the answer that it belongs to. */
  logged(event: string): Promise<Record<string, unknown>> {
    const isText = () => this.stdout.lines.some((line) => !line.startsWith("{") && line.includes(event));
    return waitFor(() => this.log().find((line) => line.event === event) ?? (isText() ? { event } : null), {
      what: () => `"${event}" in the log:\n${this.stdout.tail()}`,
    });
  }

  /** A token that it accepts. */
  token(options: TokenOptions = {}): Promise<string> {
    return mintToken(this.secret, options);
  }

  /** A REST request as the administrator (or with `token`; null: without one). `body` is sent as JSON. */
  async api(method: string, path: string, body?: unknown, token?: string | null): Promise<Answer> {
    const bearer = token === undefined ? this.#adminToken ??= await this.token() : token;
    return await askApi(this.url + path, { method, body, bearer, client: this.#client });
  }

  /** One JSON-RPC request to /rpc. */
  rpc(method: string, params: unknown = {}, token?: string | null): Promise<Answer> {
    return this.api("POST", "/rpc", { jsonrpc: "2.0", id: 1, method, params }, token);
  }

  /** Registers an upstream MCP server; `more` goes into the body. @returns the gateway as the API shows it */
  registerUpstream(
    name: string,
    url: string,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<Answer["body"]> {
    return registerUpstream((...request) => this.api(...request), name, url, more);
  }

  /** SIGTERM, and the exit code it ended with. @throws {Error} where it has not ended within 30 s; it is killed then */
  async stop(): Promise<number> {
    this.#signal("SIGTERM");
    const late = setTimeout(() => this.#signal("SIGKILL"), STOP_WITHIN_MS);
    const code = await this.#exited;
    clearTimeout(late);
    if (code === 128 + 9) {
      throw new Error(`sluice did not stop within ${STOP_WITHIN_MS} ms:\n${this.stdout.tail()}`);
    }
    return code;
  }

  /** SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await this.#exited;
  }

  /** The exit code, once it ends by itself. */
  exit(): Promise<number> {
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exitCode === undefined) await this.stop();
    this.#client?.close();
    if (this.#ownsFolder) await Deno.remove(this.cwd, { recursive: true });
  }

  #signal(signal: Deno.Signal): void {
    if (this.#exitCode !== undefined) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has just ended by itself.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Its default level is INFO. */
function showsInfo({ LOG_LEVEL = "INFO" }: Readonly<Record<string, string>> = {}): boolean {
  return LOG_LEVEL === "INFO" || LOG_LEVEL === "DEBUG";
}

function inherited(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** For tests of start-up failures, where the file may well be missing. */
function readIfThere(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(file);
  } catch {
    return undefined;
  }
}
