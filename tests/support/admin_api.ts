// The admin API on a real SQLite store, with upstreams that a test makes up.
import { NOBODY, People } from "../../src/auth/people.ts";
import type { Principal } from "../../src/auth/principal.ts";
import { keysOfSecret } from "../../src/auth/keys/own_keys.ts";
import { LoginAttempts } from "../../src/auth/logins/login_attempts.ts";
import { LoginTokens } from "../../src/auth/logins/login_tokens.ts";
import { Logins } from "../../src/auth/logins/logins.ts";
import { PasswordHashes } from "../../src/auth/logins/password_hash.ts";
import { NO_CACHE } from "../../src/cache/cache.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { type AdminApi, createAdminApi } from "../../src/admin/router.ts";
import type { AdminDeps, DiscoverTarget } from "../../src/admin/rest/deps.ts";
import { discoverTarget, openCredentials } from "../../src/admin/gateways/gateway_credentials.ts";
import { systemClock } from "../../src/base/clock.ts";
import { AuditRecords } from "../../src/store/audit/audit_records.ts";
import { AuditTrail } from "../../src/store/audit/audit_trail.ts";
import { CatalogSync } from "../../src/catalog/catalog_sync.ts";
import { createNaming } from "../../src/catalog/snapshot/tool_name.ts";
import { loadConfig } from "../../src/config/load.ts";
import { settingsReport } from "../../src/config/settings_report.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { createRegistry, type Registry } from "../../src/store/registry/registry.ts";
import { createSecretBox } from "../../src/store/secret_box.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import { MemoryCache } from "../../src/cache/memory_cache.ts";
import { Secrets } from "../../src/upstream/identity/named_secrets.ts";
import type { Discovery } from "../../src/store/registry/rows.ts";
import { NOT_EXAMINED } from "../../src/telemetry/checkup.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { RecentLog } from "../../src/telemetry/recent_log.ts";
import type { Route } from "../../src/admin/routes.ts";
import { assertDescribed, assertDescribedError } from "./described_answers.ts";
import { MemorySink, principal } from "./fakes.ts";
import { discovery } from "./registry_rows.ts";

/** What a client reads. Bodies are JSON of any shape, so tests look into them freely. */
export interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- the tests are the judges of its shape
  readonly body: any;
}

export interface AdminHarness {
  readonly store: Registry;
  /** What the upstream at a URL offers, or how it fails; an unknown URL offers nothing. */
  readonly upstreams: Map<string, Discovery | SluiceError>;
  /** Every discovery that was made. */
  readonly discovered: DiscoverTarget[];
  /** Hosts that the egress guard refuses. */
  readonly deniedHosts: Set<string>;
  /** How often the catalog was said to have changed. */
  changes(): number;
  readonly api: AdminApi;
  /** As the HTTP handler answers: failures by their catalogue row. Each answer has to be as its operation describes it. */
  call(method: string, path: string, given?: { body?: unknown; as?: Principal }): Promise<Answer>;
  /** Another API on the same store, with another secret. */
  withSecret(secret: string): Promise<AdminHarness["call"]>;
}

/** The key of the tokens of logins. */
export const LOGIN_SECRET = "a-secret-of-at-least-thirty-two-bytes";

export const ADMIN: Principal = principal({
  ...{ subject: "admin@example.com", email: "admin@example.com", isAdmin: true, teams: null },
});

export const ALICE: Principal = principal({ subject: "alice@x", email: "alice@x", teams: ["t1"] });

export async function withAdminApi(run: (harness: AdminHarness) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  const database = await openSqlite(`${directory}/test.db`, { busyTimeoutMs: 1000 });
  try {
    await migrate(database);
    // A second passes between two writes: what is registered first is the elder one.
    let seconds = 1_790_000_000;
    await run(
      await harness(createRegistry(database, () => new Date(seconds++ * 1000)), new AuditRecords(database)),
    );
  } finally {
    await database.close();
    await Deno.remove(directory, { recursive: true });
  }
}

const DEFAULT_SETTINGS = loadConfig({ environment: {}, dotEnv: null, dev: false, overrides: {}, cores: 2 });

const VERSION = {
  app: { name: "sluice", version: "0.1.0", commit: "dev" },
  platform: { deno: "2.9.6", os: "linux", arch: "x86_64" },
  mcp: { revisions: ["2026-07-28"] },
  workers: 2,
  database: { kind: "sqlite" },
  heldChanges: 0,
  startedAt: "2026-09-21T20:53:20.000Z",
};

async function harness(store: Registry, auditRecords: AuditRecords): Promise<AdminHarness> {
  const auditTrail = new AuditTrail({
    append: (records) => auditRecords.append(records),
    log: createLog({ level: "ERROR", format: "json", sink: new MemorySink() }),
    countWritten: () => {},
    countDropped: () => {},
    maxWaiting: 1_000,
    refusesWhenFull: false,
  });
  const upstreams = new Map<string, Discovery | SluiceError>();
  const discovered: DiscoverTarget[] = [];
  const deniedHosts = new Set<string>();
  let changes = 0;
  const people = { now: NOBODY };
  const recentLog = new RecentLog(100_000);
  createLog({ level: "INFO", format: "json", sink: recentLog }).with({ worker: 1 })
    .warning("request failed", { code: "UPSTREAM_TIMEOUT", upstream: "time", correlationId: "c1" });
  const readPeople = async () => {
    const rows = await store.people.read();
    people.now = new People(rows, { platformAdminEmail: ADMIN.email, requireUser: false, now: Date.now });
  };
  const depsFor = async (secret: string): Promise<AdminDeps> => {
    const deps = await unsyncedDeps(secret);
    const sync = new CatalogSync({
      registry: store,
      clock: systemClock,
      log: createLog({ level: "ERROR", format: "json", sink: new MemorySink() }),
      naming: createNaming(deps.toolNames),
      discover: async (row) =>
        deps.discover(await discoverTarget(deps, row, await openCredentials(deps, row))),
      catalogChanged: deps.catalogChanged,
      onHeld: () => {},
      countRefresh: () => {},
    });
    return { ...deps, refresh: (gatewayId, kinds) => sync.refresh(gatewayId, kinds) };
  };
  const unsyncedDeps = async (secret: string): Promise<Omit<AdminDeps, "refresh">> => ({
    store,
    // No upstream of these tests has logins of people.
    connecting: {
      list: () => Promise.resolve([]),
      disconnect: () => Promise.reject(new SluiceError("NOT_FOUND", { what: "Connection" })),
    } as unknown as AdminDeps["connecting"],
    endGrants: async (ids, why) => {
      for (const jti of ids) await store.revokedTokens.revoke({ ...why, jti, expiresAt: null });
    },
    secretBox: await createSecretBox(secret),
    secrets: new Secrets({ directory: null, command: null, clock: systemClock }),
    checkEgress: (url) =>
      deniedHosts.has(url.hostname)
        ? Promise.reject(new SluiceError("EGRESS_DENIED", { reason: `${url.hostname} is denied` }))
        : Promise.resolve(),
    discover: (target, onListing) => {
      discovered.push(target);
      onListing?.();
      const found = upstreams.get(target.url) ?? discovery({});
      return found instanceof SluiceError ? Promise.reject(found) : Promise.resolve(found);
    },
    variable: (name) => name === "ALLOWED" ? "from-the-environment" : undefined,
    catalogChanged: async () => {
      changes++;
      await readPeople();
    },
    onHeld: () => {},
    countDecision: () => {},
    executions: () => Promise.resolve(store.executions),
    settings: () => Promise.resolve({ ...settingsReport(DEFAULT_SETTINGS), needs_restart: [] }),
    checkup: () => Promise.resolve(NOT_EXAMINED),
    examine: () => Promise.resolve({ ...NOT_EXAMINED, is_under_way: true }),
    advise: () => Promise.resolve(null),
    logLines: { find: (query) => Promise.resolve(recentLog.find(query)), streams: new Set() },
    readResource: (_principal, { uri }) => Promise.resolve({ contents: [{ uri, text: "content" }] }),
    upstreamLoad: () => Promise.resolve({ processes: new Map(), calls: new Map() }),
    renderPrompt: (_principal, { originalName }, args) =>
      Promise.resolve({ originalName, args, messages: [] }),
    ...accountParts(store),
    sso: null,
    passwordMails: null,
    auditTrail,
    auditRecords,
    importReports: new MemoryCache(systemClock),
    people: () => people.now,
    toolNames: { separator: "-", maxLength: 64 },
    ready: () => Promise.resolve({ ready: false, reasons: ["database: gone"] }),
    version: () => VERSION,
    now: () => new Date(1_790_000_000_000),
  });
  const callOn = (api: AdminApi): AdminHarness["call"] => {
    return async (method, path, { body, as = ADMIN } = {}) => {
      const [pathname, search] = path.split("?");
      let route: Route | undefined;
      try {
        const admitted = api.admit({
          method,
          path: pathname,
          query: new URLSearchParams(search),
          principal: as,
          client: "192.0.2.1",
          body: () => Promise.resolve(body),
          text: () => Promise.resolve(typeof body === "string" ? body : JSON.stringify(body)),
          signal: new AbortController().signal,
          correlationId: "of-the-test",
          action: api.actionOf(method, pathname),
        });
        route = admitted.route;
        const answer = await admitted.answer();
        if (answer.body instanceof ReadableStream) return answer;
        const shown = JSON.parse(JSON.stringify(answer.body));
        assertDescribed(route, answer.status, shown);
        return { status: answer.status, body: shown };
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        if (route !== undefined) assertDescribedError(route, error);
        return { status: error.row.http, body: { detail: error.data ?? error.message } };
      }
    };
  };
  const api = createAdminApi(await depsFor("secret"));
  return {
    store,
    upstreams,
    discovered,
    deniedHosts,
    changes: () => changes,
    api,
    call: callOn(api),
    withSecret: async (secret) => callOn(createAdminApi(await depsFor(secret))),
  };
}

/** Logins with real hashes, whose failures are answered at once. */
function accountParts(
  { people: { users } }: Registry,
): Pick<AdminDeps, "logins" | "passwords" | "accounts" | "apiTokens"> {
  const passwords = new PasswordHashes({
    cost: { ln: 4, r: 8, p: 1 },
    maxAtOnce: 2,
    maxWaiting: 10,
    verifyArgon2: () => Promise.reject(new Error("no hash of this kind is stored")),
  });
  const signer = {
    keys: keysOfSecret("HS256", LOGIN_SECRET),
    issuer: "mcpgateway",
    audience: "mcpgateway-api",
    clock: systemClock,
  };
  const tokens = new LoginTokens({ ...signer, ttlMs: 3_600_000, maxLifetimeMs: 7_200_000 });
  const logins = new Logins({
    users,
    hashes: passwords,
    tokens,
    attempts: new LoginAttempts({
      ...{ counters: NO_CACHE, clock: systemClock, perMinute: 1_000 },
      onLimited: () => {},
    }),
    admits: () => true,
    clock: systemClock,
    limits: { failures: 5, longestLockMs: 3_600_000, failureMs: 0 },
    count: () => {},
  });
  const accounts = {
    minPasswordChars: 12,
    maxTeams: 3,
    maxMembers: 4,
    loginMs: 3_600_000,
    longestLoginMs: 7_200_000,
    invitationMs: 60_000,
    passwordLinkMs: 60_000,
  };
  return { logins, passwords, accounts, apiTokens: { signer, maxPerUser: 5, requireExpiration: false } };
}
