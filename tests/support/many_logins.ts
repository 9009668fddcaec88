// Many people, each with a login of their own at one upstream, and two replicas that they call by turns. The upstream's authorization
// server is a real one: its access tokens live a few seconds, and a refresh token that comes twice ends the login.
import { assertEquals } from "@std/assert";
import { replicaSettings, type Servers } from "./cluster_servers.ts";
import { freePort } from "./free_port.ts";
import { askApi } from "./gateway_api.ts";
import { toolCall } from "./mcp_post.ts";
import { metric } from "./metric.ts";
import { type Grant, OidcProvider } from "./oidc_provider.ts";
import { OwnedTokensUpstream } from "./owned_tokens_upstream.ts";
import { PersonBrowser } from "./person_browser.ts";
import { register } from "./person_login_upstream.ts";
import { Sluice } from "./sluice.ts";
import { known } from "./two_replicas.ts";
import { waitFor } from "./wait_for.ts";

export interface ManyLoginsOptions {
  readonly people: number;
  /** Life of access tokens, s. */
  readonly accessTokenS: number;
  /** Pause between two calls of a person, ms. */
  readonly pauseMs: number;
  readonly env?: Readonly<Record<string, string>>;
}

interface Person {
  readonly name: string;
  readonly token: string;
}

/** Logins that begin at the same time. */
const AT_ONCE = 8;

export class ManyLogins implements AsyncDisposable {
  readonly replicas: Sluice[] = [];
  /** What a call of a person must not get, in words. */
  readonly wrong: string[] = [];
  /** Of the answered calls, ms. */
  readonly latencies: number[] = [];
  readonly #people: Person[] = [];
  readonly #resources = new AsyncDisposableStack();
  readonly #options: ManyLoginsOptions;
  readonly #ports = [freePort(), freePort()];
  /** The replicas that calls go to, by index. */
  #open: readonly number[] = [0, 1];
  /** Calls under way, by replica. */
  readonly #underWay = [0, 0];
  #load: { isOver: boolean; readonly ended: Promise<unknown> } | null = null;
  #env: Readonly<Record<string, string>> = {};
  #database = "";

  private constructor(
    readonly servers: Servers,
    readonly provider: OidcProvider,
    readonly upstream: OwnedTokensUpstream,
    options: ManyLoginsOptions,
  ) {
    this.#options = options;
  }

  static async start(servers: Servers, options: ManyLoginsOptions): Promise<ManyLogins> {
    await using stack = new AsyncDisposableStack();
    const names = Array.from({ length: options.people }, (_, n) => `person${n}`);
    const provider = stack.use(
      await OidcProvider.start(
        [],
        Object.fromEntries(names.map((name) => [name, {}])),
        freePort(),
        { takesRegistrations: true, accessTokenS: options.accessTokenS },
      ),
    );
    const upstream = stack.use(new OwnedTokensUpstream(provider));
    const logins = new ManyLogins(servers, provider, upstream, options);
    stack.defer(() => logins.#end());
    await logins.#startReplicas();
    const { id } = await register(logins.replicas[0]!, "own", upstream.url, {
      authorization_params: { prompt: "consent" },
    });
    for (const name of names) {
      logins.#people.push({ name, token: await logins.#tokenOf(name) });
    }
    await logins.#connect(id);
    logins.#resources.use(stack.move());
    return logins;
  }

  get names(): string[] {
    return this.#people.map(({ name }) => name);
  }

  /** Each person calls, one call after the other, at the open replicas by turns. */
  begin(): void {
    const load = { isOver: false };
    const ended = Promise.all(this.#people.map((person, n) => this.#calls(person, n, load)));
    this.#load = Object.assign(load, { ended });
  }

  async end(): Promise<void> {
    if (this.#load !== null) this.#load.isOver = true;
    await this.#load?.ended;
    this.#load = null;
  }

  /** Sends calls to these replicas alone. @returns when those to the others are answered */
  async openOnly(...replicas: readonly number[]): Promise<void> {
    this.#open = replicas;
    const others = [0, 1].filter((index) => !replicas.includes(index));
    await waitFor(() => others.every((index) => this.#underWay[index] === 0), {
      what: "the answers of the other replica",
    });
  }

  /** One that has ended, at its port. */
  async startAgain(index: number): Promise<void> {
    const former = this.replicas[index]!;
    this.replicas[index] = await this.#start(index);
    await former[Symbol.asyncDispose]();
  }

  /** The renewals that the authorization server was asked for, by person. */
  async renewals(): Promise<Map<string, Grant[]>> {
    const byPerson = new Map<string, Grant[]>(this.names.map((name) => [name, []]));
    for (const grant of (await this.provider.grants()).grants) {
      if (grant.kind === "refresh_token") byPerson.get(grant.person ?? "")!.push(grant);
    }
    return byPerson;
  }

  /** Waits until each person's login was renewed so often more than before. */
  async renewed(times: number): Promise<void> {
    const before = await this.renewals();
    await waitFor(async () => {
      const now = await this.renewals();
      return this.names.every((name) => now.get(name)!.length >= before.get(name)!.length + times);
    }, { what: `${times} renewals of each login`, everyMs: 100 });
  }

  /** The renewals that the gateway has counted. */
  async counted(outcome: string): Promise<number> {
    const processes = this.replicas;
    return await metric({ processes }, "sluice_upstream_login_renewals_total", `outcome="${outcome}"`);
  }

  /** The claims of tokens that are held now: whoever holds one asks the authorization server. */
  async claims(): Promise<string[]> {
    const rows = await this.servers.postgres.query(
      "SELECT owner || ' ' || holder AS claim FROM upstream_tokens " +
        "WHERE claimed_until > EXTRACT(EPOCH FROM statement_timestamp()) * 1000",
      this.#database,
    );
    return rows.map(({ claim }) => String(claim));
  }

  /** The states of all logins, as an operator sees them. */
  async states(): Promise<string[]> {
    const { body } = await this.replicas[0]!.api("GET", "/connections/all");
    return body.map(({ state }: { state: string }) => state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #end(): Promise<void> {
    await this.end();
    await Promise.all(this.replicas.map((replica) => replica[Symbol.asyncDispose]()));
    await this.servers.postgres.giveBackDatabase(this.#database, this.servers.pgbouncer.port);
  }

  async #startReplicas(): Promise<void> {
    const { postgres, pgbouncer } = this.servers;
    this.#database = await postgres.takeDatabase(pgbouncer.port, { mayBeMigrated: true });
    this.#env = {
      ...replicaSettings(this.servers, this.#database),
      SSRF_ALLOW_LOCALHOST: "true",
      UPSTREAM_OAUTH_TIMEOUT: "60",
      // Health checks would use somebody's login too.
      HEALTH_CHECK_INTERVAL: "3600",
      ...this.#options.env,
    };
    this.replicas.push(...await Promise.all([this.#start(0), this.#start(1)]));
  }

  #start(index: number): Promise<Sluice> {
    return Sluice.start({ env: { ...this.#env, PORT: String(this.#ports[index]) } });
  }

  #tokenOf(name: string): Promise<string> {
    return this.replicas[0]!.token({ username: `${name}@x.example` });
  }

  async #connect(gatewayId: string): Promise<void> {
    const waiting = this.#people.map((person, n) => ({ ...person, replica: this.replicas[n % 2]! }));
    const oneByOne = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const browser = PersonBrowser.withToken(next.replica, `${next.name}@x.example`, next.token);
        const page = await browser.browser.signIn(await browser.begin(gatewayId), next.name);
        assertEquals(page.text.includes("renewed by itself"), true, page.text.slice(-1_500));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, oneByOne));
    // The lists come with the first login, and reach the other replica a moment later.
    for (const replica of this.replicas) await known(replica, "own-whoami");
    await waitFor(async () => {
      const answers = await Promise.all(
        this.#people.slice(0, 12).map((person, n) => this.#call(person, n % 2)),
      );
      return answers.every((answer, n) => answer === this.#people[n]!.name);
    }, { what: "the tools on all workers" });
  }

  async #calls(person: Person, n: number, load: { readonly isOver: boolean }): Promise<void> {
    const { pauseMs } = this.#options;
    for (let turn = n; !load.isOver; turn++) {
      const replica = this.#open[turn % this.#open.length]!;
      this.#underWay[replica]!++;
      const began = performance.now();
      const answer = await this.#call(person, replica).catch((error: Error) => error)
        .finally(() => this.#underWay[replica]!--);
      if (answer === person.name) this.latencies.push(performance.now() - began);
      // A load balancer asks another replica where one ends.
      else if (!(answer instanceof Error) || this.#open.includes(replica)) {
        this.wrong.push(`${person.name} at replica ${replica}: ${answer}`);
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** @returns whom the upstream takes the caller for, or the error */
  async #call({ token }: Person, replica: number): Promise<string> {
    const { body } = await askApi(`${this.replicas[replica]!.url}/rpc`, {
      method: "POST",
      body: toolCall("own-whoami", { began: Date.now() }),
      bearer: token,
      client: undefined,
    });
    return body.error?.message ?? body.result.content[0].text;
  }
}
