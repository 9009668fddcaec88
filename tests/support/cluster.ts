// Three replicas of two workers behind nginx in round robin, on PostgreSQL through PgBouncer in transaction mode, and on Redis: all
// real processes.
import type { Gateway, Settings } from "./gateway.ts";
import { type Answer, askApi, registerUpstream } from "./gateway_api.ts";
import { post, toolCall } from "./mcp_post.ts";
import { PgBouncer } from "./pgbouncer.ts";
import { PostgresServer, type PostgresServerOptions } from "./postgres.ts";
import { canLeaveOut } from "./programs.ts";
import { RedisServer } from "./redis.ts";
import { type RoundRobin, startRoundRobin } from "./round_robin.ts";
import { Sluice } from "./sluice.ts";
import type { TokenOptions } from "./tokens.ts";
import { waitFor } from "./wait_for.ts";

export const CLUSTER_MISSING = ["nginx", "initdb", "pgbouncer", "redis-server"].some(canLeaveOut);

export const CLUSTER_REPLICAS = 3;
const WORKERS = 2;

/** What writes to the registry, besides the calls that also come by POST and DELETE. */
const REGISTRY = /^\/(gateways|servers|tools|resources|prompts|tokens)\b(?!\/[^/]+\/(mcp|message))/;

/** Enough connections that each of the workers has got one, but for a chance of one in thousands. */
const LOOKS = 12;

export interface ClusterOptions {
  /** Settings of every replica, over the cluster's own. */
  readonly env?: Settings;
  readonly postgres?: PostgresServerOptions;
  /** Of the load balancer: for servers that stand still. */
  readonly readTimeoutS?: number;
}

export class Cluster implements Gateway {
  /** Of the load balancer. */
  readonly url: string;
  readonly port: number;
  readonly workers = CLUSTER_REPLICAS * WORKERS;
  readonly replicas: Sluice[];
  readonly #resources = new AsyncDisposableStack();
  /** The cluster's own. */
  readonly #env: Settings;
  /** What the test wants besides. */
  #more: Settings;
  /** Where one that is started again listens. */
  readonly #ports: readonly number[];

  private constructor(
    readonly postgres: PostgresServer,
    readonly pgbouncer: PgBouncer,
    readonly redis: RedisServer,
    readonly database: string,
    balancer: RoundRobin,
    from: { env: Settings; more: Settings; replicas: readonly Sluice[] },
  ) {
    this.url = balancer.url;
    this.port = Number(new URL(balancer.url).port);
    this.#env = from.env;
    this.#more = from.more;
    this.replicas = [...from.replicas];
    this.#ports = from.replicas.map(({ port }) => port);
    for (const resource of [postgres, redis, pgbouncer]) this.#resources.use(resource);
    this.#resources.defer(async () => {
      await Promise.all(this.replicas.map((replica) => replica[Symbol.asyncDispose]()));
    });
    this.#resources.use(balancer);
  }

  static async start(
    { env = {}, postgres: postgresOptions, readTimeoutS }: ClusterOptions = {},
  ): Promise<Cluster> {
    const [postgres, redis] = await Promise.all([
      PostgresServer.start(postgresOptions),
      RedisServer.start(),
    ]);
    const pgbouncer = await PgBouncer.start(postgres.port, { settings: { server_login_retry: "1" } });
    const database = await postgres.takeDatabase(pgbouncer.port);
    const own = {
      DATABASE_URL: postgres.url(database, { port: pgbouncer.port }),
      JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
      AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
      CACHE_TYPE: "redis",
      REDIS_URL: redis.url(),
      WORKERS: String(WORKERS),
      LOG_LEVEL: "INFO",
      DB_CONNECT_TIMEOUT: "2",
      REDIS_SOCKET_TIMEOUT: "1",
    };
    const replicas = await Promise.all(
      Array.from({ length: CLUSTER_REPLICAS }, () => Sluice.start({ env: { ...own, ...env } })),
    );
    const balancer = await startRoundRobin(replicas.map(({ port }) => port), { readTimeoutS });
    return new Cluster(postgres, pgbouncer, redis, database, balancer, { env: own, more: env, replicas });
  }

  token(options: TokenOptions = {}): Promise<string> {
    return this.replicas[0]!.token(options);
  }

  get processes(): readonly Sluice[] {
    return this.replicas;
  }

  log(): Record<string, unknown>[] {
    return this.replicas.flatMap((replica) => replica.log());
  }

  /** A write is answered when every worker of every replica has it, as a test's next line expects it of one process. */
  async api(method: string, path: string, body?: unknown, token?: string | null): Promise<Answer> {
    const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    try {
      const bearer = token === undefined ? await this.token() : token;
      const answer = await askApi(this.url + path, { method, body, bearer, client });
      const isDone = answer.status >= 200 && answer.status < 300;
      if (isDone && method !== "GET" && REGISTRY.test(path)) await this.#settled();
      return answer;
    } finally {
      client.close();
    }
  }

  rpc(method: string, params: unknown = {}, token?: string | null): Promise<Answer> {
    return this.api("POST", "/rpc", { jsonrpc: "2.0", id: 1, method, params }, token);
  }

  registerUpstream(
    name: string,
    url: string,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<Answer["body"]> {
    return registerUpstream((...request) => this.api(...request), name, url, more);
  }

  /** Ends the replicas, and what they have stored. */
  async stopReplicas(): Promise<void> {
    await Promise.all(this.replicas.splice(0).map((replica) => replica[Symbol.asyncDispose]()));
    await this.postgres.giveBackDatabase(this.database, this.pgbouncer.port);
    await this.redis.use((redis) => redis.flushall());
  }

  /** After stopReplicas(). @param more settings over the cluster's own */
  async startReplicas(more: Settings): Promise<void> {
    this.#more = more;
    await this.postgres.takeDatabase(this.pgbouncer.port);
    const starting = await Promise.allSettled(this.#ports.map((port) => this.#startReplica(port)));
    const started = starting.filter((each) => each.status === "fulfilled").map(({ value }) => value);
    this.replicas.push(...started);
    const failed = starting.find((each) => each.status === "rejected");
    if (failed === undefined) return;
    await this.stopReplicas();
    throw failed.reason;
  }

  /** After its kill(). */
  async startAgain(index: number): Promise<void> {
    const former = this.replicas[index]!;
    this.replicas[index] = await this.#startReplica(this.#ports[index]!);
    await former[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  #startReplica(port: number): Promise<Sluice> {
    return Sluice.start({ env: { ...this.#env, ...this.#more, PORT: String(port) } });
  }

  /** Every worker has read what was written so far: it knows of a virtual server that was made after it, and stays. */
  async #settled(): Promise<void> {
    const id = `mark-${crypto.randomUUID()}`;
    const one = this.replicas[0]!;
    const { status } = await one.api("POST", "/servers", { server: { id, name: id } });
    if (status !== 201) throw new Error(`POST /servers was answered ${status}`);
    const isKnown = async (replica: Sluice) =>
      (await post(replica, toolCall("none"), { path: `/servers/${id}/mcp` })).status !== 404;
    await Promise.all(this.replicas.map((replica) =>
      waitFor(async () => {
        const looks = await Promise.all(Array.from({ length: LOOKS }, () => isKnown(replica)));
        return looks.every((each) => each);
      }, { what: "the change to be on every worker" })
    ));
  }
}
