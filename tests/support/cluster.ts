// Three replicas of two workers behind nginx in round robin, on PostgreSQL through PgBouncer in transaction mode, and on Redis: all
// real processes.
import {
  type OwnServers,
  replicaSettings,
  type Servers,
  SERVERS_MISSING,
  startServers,
} from "./cluster_servers.ts";
import { freePort } from "./free_port.ts";
import type { Gateway, Settings } from "./gateway.ts";
import { type Answer, askApi, registerUpstream } from "./gateway_api.ts";
import type { PostgresServerOptions } from "./postgres.ts";
import { canLeaveOut } from "./programs.ts";
import { post, toolCall } from "./mcp_post.ts";
import { type RoundRobin, startRoundRobin } from "./round_robin.ts";
import { Sluice } from "./sluice.ts";
import type { TokenOptions } from "./tokens.ts";
import { waitFor } from "./wait_for.ts";

export const CLUSTER_MISSING = SERVERS_MISSING || canLeaveOut("nginx");

export const CLUSTER_REPLICAS = 3;
const WORKERS = 2;

/** What writes to the registry, besides the calls that also come by POST and DELETE. */
const REGISTRY =
  /^\/(gateways|servers|tools|resources|prompts|tokens|auth|teams|rbac)\b(?!\/[^/]+\/(mcp|message))/;

/** Enough connections that each of the workers has got one, but for a chance of one in thousands. */
const LOOKS = 20;

export interface ClusterOptions {
  /** Settings of every replica, over the cluster's own. */
  readonly env?: Settings;
  /** Of the load balancer: for servers that stand still. */
  readonly readTimeoutS?: number;
}

/** Replicas and their load balancer, on servers that other clusters may use as well. */
export class Cluster<S extends Servers = OwnServers> implements Gateway {
  /** Of the load balancer. */
  readonly url: string;
  readonly port: number;
  readonly workers = CLUSTER_REPLICAS * WORKERS;
  readonly replicas: Sluice[] = [];
  /** Of the replicas: one that is started again has its former's. */
  readonly #ports: readonly number[];
  #resources = new AsyncDisposableStack();
  #database: string | undefined;
  /** Of every replica. */
  #env: Settings = {};

  private constructor(readonly servers: S, { url }: RoundRobin, ports: readonly number[]) {
    this.url = url;
    this.port = Number(new URL(url).port);
    this.#ports = ports;
  }

  /** On servers of its own, which end with it. */
  static async start(
    { postgres, ...options }: ClusterOptions & { readonly postgres?: PostgresServerOptions } = {},
  ): Promise<Cluster<OwnServers>> {
    await using stack = new AsyncDisposableStack();
    const servers = stack.use(await startServers({ postgres }));
    return await Cluster.#startOn(servers, options, stack.move());
  }

  /** On servers that outlive it. */
  static on<S extends Servers>(servers: S, options: ClusterOptions = {}): Promise<Cluster<S>> {
    return Cluster.#startOn(servers, options, new AsyncDisposableStack());
  }

  /** @param resources end with it, and after it */
  static async #startOn<S extends Servers>(
    servers: S,
    { env = {}, readTimeoutS }: ClusterOptions,
    resources: AsyncDisposableStack,
  ): Promise<Cluster<S>> {
    await using stack = resources;
    const ports = Array.from({ length: CLUSTER_REPLICAS }, freePort);
    const cluster = new Cluster(servers, stack.use(await startRoundRobin(ports, { readTimeoutS })), ports);
    stack.defer(() => cluster.#endReplicas());
    await cluster.startReplicas(env);
    cluster.#resources = stack.move();
    return cluster;
  }

  /** In PostgreSQL: its replicas' own. */
  get database(): string {
    return this.#database!;
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

  /** Ends the replicas, and what they have stored: nobody else has their key prefix. */
  async stopReplicas(): Promise<void> {
    await this.#endReplicas();
    const { postgres, pgbouncer } = this.servers;
    await postgres.giveBackDatabase(this.database, pgbouncer.port);
  }

  /** When there are none. @param more settings over the cluster's own */
  async startReplicas(more: Settings): Promise<void> {
    const { postgres, pgbouncer } = this.servers;
    this.#database = await postgres.takeDatabase(pgbouncer.port, { mayBeMigrated: true });
    this.#env = {
      ...replicaSettings(this.servers, this.#database),
      WORKERS: String(WORKERS),
      ...more,
    };
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

  async #endReplicas(): Promise<void> {
    await Promise.all(this.replicas.splice(0).map((replica) => replica[Symbol.asyncDispose]()));
  }

  #startReplica(port: number): Promise<Sluice> {
    return Sluice.start({ env: { ...this.#env, PORT: String(port) } });
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
