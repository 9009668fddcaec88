// A real Redis server on a free port of 127.0.0.1, with its data in a temporary folder.

import { Redis } from "ioredis";
import { freePort } from "./free_port.ts";
import { serverFolder, ServerProcess } from "./server_process.ts";
import { waitFor } from "./wait_for.ts";

export interface RedisServerOptions {
  /** PEM texts: take TLS only. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Its default user's; none unless it is given. */
  readonly password?: string;
  /** The text of its redis.conf, in place of a server that keeps nothing. */
  readonly conf?: string;
  /** Further words of its command line, in place of a server that keeps nothing. */
  readonly args?: readonly string[];
}

/** `await using server = await RedisServer.start()` ends it and removes its data at the end of the block. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #options: RedisServerOptions;
  #process: ServerProcess;

  private constructor(port: number, folder: string, options: RedisServerOptions) {
    this.port = port;
    this.#folder = folder;
    this.#options = options;
    this.#process = this.#spawn();
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await serverFolder("sluice_redis_");
    for (const [name, text] of Object.entries(options.tls ?? {})) {
      await Deno.writeTextFile(`${folder}/${name}.pem`, text, { mode: 0o644 });
    }
    if (options.conf !== undefined) await Deno.writeTextFile(`${folder}/redis.conf`, options.conf);
    const server = new RedisServer(freePort(), folder, options);
    try {
      await server.#untilReady();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A REDIS_URL. `password`: another one than the server's. `port`: of a relay before it. */
  url({ password = this.#options.password, port = this.port, host = "127.0.0.1" } = {}): string {
    const userinfo = password === undefined ? "" : `:${encodeURIComponent(password)}@`;
    return `${this.#options.tls ? "rediss" : "redis"}://${userinfo}${host}:${port}/0`;
  }

  /** Does something with a connection of the test's own, which is called `test` in CLIENT LIST. */
  async use<T>(run: (redis: Redis) => Promise<T>): Promise<T> {
    const { password, tls } = this.#options;
    const redis = new Redis({
      host: "127.0.0.1",
      port: this.port,
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls: { ca: tls.ca } }),
      connectionName: "test",
      lazyConnect: true,
      retryStrategy: () => null,
      connectTimeout: 2_000,
    });
    redis.on("error", () => {});
    try {
      await redis.connect();
      return await run(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** The names of the connections that others than the test have to it now. */
  async connections(): Promise<string[]> {
    const list = String(await this.use((redis) => redis.client("LIST")));
    const names = list.trim().split("\n").map((line) => /\bname=(\S*)/.exec(line)?.[1] ?? "");
    return names.filter((name) => name !== "test").sort();
  }

  /** SIGKILL: what it held in memory is lost. */
  async kill(): Promise<void> {
    await this.#process.end("SIGKILL");
  }

  /** After `kill()`: an empty server on the same port. */
  async startAgain(): Promise<void> {
    this.#process = this.#spawn();
    await this.#untilReady();
  }

  /** It stands still: connections stay open and nothing is answered. */
  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end("SIGKILL");
    await Deno.remove(this.#folder, { recursive: true });
  }

  #spawn(): ServerProcess {
    const { tls, password, conf, args: more } = this.#options;
    const file = (name: string) => `${this.#folder}/${name}.pem`;
    const args = [
      ...(conf === undefined ? [] : [`${this.#folder}/redis.conf`]),
      ...["--bind", "127.0.0.1", "--dir", this.#folder],
      ...(conf === undefined && more === undefined ? ["--save", "", "--appendonly", "no"] : []),
      ...(tls === undefined ? ["--port", String(this.port)] : [
        ...["--port", "0", "--tls-port", String(this.port), "--tls-auth-clients", "no"],
        ...["--tls-ca-cert-file", file("ca"), "--tls-cert-file", file("cert"), "--tls-key-file", file("key")],
      ]),
      ...(password === undefined ? [] : ["--requirepass", password]),
      ...more ?? [],
    ];
    return new ServerProcess("redis-server", args, this.#folder);
  }

  async #untilReady(): Promise<void> {
    await waitFor(async () => this.#process.isOver || await this.use((redis) => redis.ping()), {
      what: "Redis to answer",
    });
    if (this.#process.isOver) throw new Error(`Redis ended:\n${this.#process.tail()}`);
  }
}
