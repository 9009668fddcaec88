// Three replicas of two workers behind nginx in round robin, on PostgreSQL through PgBouncer in transaction mode, and on Redis: all
// real processes.
import type { Gateway } from "./gateway.ts";
import { post, toolCall } from "./mcp_post.ts";
import { PgBouncer } from "./pgbouncer.ts";
import { PostgresServer, type PostgresServerOptions } from "./postgres.ts";
import { canLeaveOut } from "./programs.ts";
import { RedisServer } from "./redis.ts";
import { type RoundRobin, startRoundRobin } from "./round_robin.ts";
import { type Answer, Sluice } from "./sluice.ts";
import type { TokenOptions } from "./tokens.ts";
import { waitFor } from "./wait_for.ts";

export const CLUSTER_MISSING = ["nginx", "initdb", "pgbouncer", "redis-server"].some(canLeaveOut);

export const CLUSTER_REPLICAS = 3;
const WORKERS = 2;

/** Enough connections that each of the workers has got one, but for a chance of one in thousands. */
const LOOKS = 12;

export interface ClusterOptions {
  /** Settings of every replica, over the cluster's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly postgres?: PostgresServerOptions;
  /** Of the load balancer: for servers that stand still. */
  readonly readTimeoutS?: number;
}

export class Cluster implements Gateway {
  /** Of the load balancer. */
  readonly url: string;
  readonly replicas: Sluice[] = [];
  readonly #resources = new AsyncDisposableStack();
  readonly #env: Readonly<Record<string, string>>;
  /** Where one that is started again listens. */
  readonly #ports: readonly number[];

  private constructor(
    readonly postgres: PostgresServer,
    readonly pgbouncer: PgBouncer,
    readonly redis: RedisServer,
    readonly database: string,
    balancer: RoundRobin,
    from: { env: Readonly<Record<string, string>>; replicas: readonly Sluice[] },
  ) {
    this.url = balancer.url;
    this.#env = from.env;
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
    const all = {
      DATABASE_URL: postgres.url(database, { port: pgbouncer.port }),
      JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
      AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
      CACHE_TYPE: "redis",
      REDIS_URL: redis.url(),
      WORKERS: String(WORKERS),
      LOG_LEVEL: "INFO",
      DB_CONNECT_TIMEOUT: "2",
      REDIS_SOCKET_TIMEOUT: "1",
      ...env,
    };
    const replicas = await Promise.all(
      Array.from({ length: CLUSTER_REPLICAS }, () => Sluice.start({ env: all })),
    );
    const balancer = await startRoundRobin(replicas.map(({ port }) => port), { readTimeoutS });
    return new Cluster(postgres, pgbouncer, redis, database, balancer, { env: all, replicas });
  }

  token(options: TokenOptions = {}): Promise<string> {
    return this.replicas[0]!.token(options);
  }

  /** What changes the catalog is answered when every worker has the change, as a test's next line expects it of one process. */
  async api(method: string, path: string, body?: unknown, token?: string | null): Promise<Answer> {
    const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    try {
      const bearer = token === undefined ? await this.token() : token;
      const response = await fetch(this.url + path, {
        client,
        method,
        headers: {
          ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.includes("json") && text !== "";
      const answer = {
        status: response.status,
        headers: response.headers,
        body: isJson ? JSON.parse(text) : text || null,
      };
      if (method === "POST" && path === "/servers" && answer.status === 201) {
        await this.#everywhere(async (replica) => {
          const known = await post(replica, toolCall("none"), { path: `/servers/${answer.body.id}/mcp` });
          return known.status !== 404;
        });
      }
      return answer;
    } finally {
      client.close();
    }
  }

  rpc(method: string, params: unknown = {}, token?: string | null): Promise<Answer> {
    return this.api("POST", "/rpc", { jsonrpc: "2.0", id: 1, method, params }, token);
  }

  async registerUpstream(
    name: string,
    url: string,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<Answer["body"]> {
    const { status, body } = await this.api("POST", "/gateways", {
      ...{ name, url, transport: "STREAMABLEHTTP" },
      ...more,
    });
    if (status !== 200 && status !== 201) {
      throw new Error(`Registering ${name} was answered ${status}: ${JSON.stringify(body)}`);
    }
    await this.#everywhere(async (replica) => {
      const request = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
      const { body } = await post(replica, request, { path: "/rpc" });
      return body.result?.tools.some((tool: { name: string }) => tool.name.startsWith(`${name}-`));
    });
    return body;
  }

  /** Every worker has heard that nothing is registered any more. */
  async untilEmpty(): Promise<void> {
    await this.#everywhere(async (replica) => {
      const request = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
      return (await post(replica, request, { path: "/rpc" })).body.result?.tools.length === 0;
    });
  }

  /** Kill -9 and, where it was, another process. */
  async replace(index: number): Promise<void> {
    await this.replicas[index]!.kill();
    await this.startAgain(index);
  }

  /** After its kill(). */
  async startAgain(index: number): Promise<void> {
    const former = this.replicas[index]!;
    this.replicas[index] = await Sluice.start({ env: { ...this.#env, PORT: String(this.#ports[index]) } });
    await former[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #everywhere(isThere: (replica: Sluice) => Promise<boolean>): Promise<void> {
    await Promise.all(this.replicas.map((replica) =>
      waitFor(async () => {
        const looks = await Promise.all(Array.from({ length: LOOKS }, () => isThere(replica)));
        return looks.every((each) => each);
      }, { what: "the change to be on every worker" })
    ));
  }
}
