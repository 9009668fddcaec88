// Floor `help`: the manual. Its pages are Markdown; this file is their index. A page is loaded when it is read, so `serve` keeps
// none in memory.

/** The pages in the order of the index. `deno compile` embeds modules with literal names only. */
const PAGES = {
  upstreams: [
    "put MCP servers behind the gateway; credentials, health",
    () => import("./upstreams.md", { with: { type: "text" } }),
  ],
  admin: [
    "the pages for people: upstreams, tools, clients, users",
    () => import("./admin.md", { with: { type: "text" } }),
  ],
  approval: [
    "approve what upstreams add or change, before models read it",
    () => import("./approval.md", { with: { type: "text" } }),
  ],
  clients: [
    "connect MCP clients: desktop programs, editors, SDKs, web pages",
    () => import("./clients.md", { with: { type: "text" } }),
  ],
  tokens: [
    "give people access, limit it, take it back",
    () => import("./tokens.md", { with: { type: "text" } }),
  ],
  users: [
    "logins, users, teams and roles: who may do what",
    () => import("./users.md", { with: { type: "text" } }),
  ],
  sso: [
    "sign in at Keycloak, Entra, Okta, Google or another provider",
    () => import("./sso.md", { with: { type: "text" } }),
  ],
  oauth: [
    "MCP clients that log in by themselves, in a browser",
    () => import("./oauth.md", { with: { type: "text" } }),
  ],
  audit: [
    "the audit trail: who changed what, and was refused",
    () => import("./audit.md", { with: { type: "text" } }),
  ],
  servers: [
    "compose virtual servers; names and lists",
    () => import("./servers.md", { with: { type: "text" } }),
  ],
  api: [
    "the REST API: every route, permission and field",
    () => import("./api.md", { with: { type: "text" } }),
  ],
  settings: [
    "every setting, its default and meaning",
    () => import("./settings.md", { with: { type: "text" } }),
  ],
  errors: [
    "every error code, its meaning and remedy",
    () => import("./errors.md", { with: { type: "text" } }),
  ],
  metrics: [
    "every metric, and what to do when it moves",
    () => import("./metrics.md", { with: { type: "text" } }),
  ],
  logs: [
    "the log: filter it by caller, tool, upstream or request; follow it",
    () => import("./logs.md", { with: { type: "text" } }),
  ],
  traces: [
    "export traces of calls to an OpenTelemetry collector",
    () => import("./traces.md", { with: { type: "text" } }),
  ],
  deploy: [
    "run it for real: executable, container, restarts, upgrades",
    () => import("./deploy.md", { with: { type: "text" } }),
  ],
  replicas: [
    "several processes on one database; PostgreSQL, Redis",
    () => import("./replicas.md", { with: { type: "text" } }),
  ],
  sizing: [
    "workers, memory, pools: what a machine serves",
    () => import("./sizing.md", { with: { type: "text" } }),
  ],
  tune: [
    "a configuration for a number of users, with every formula",
    () => import("./tune.md", { with: { type: "text" } }),
  ],
  bench: [
    "put load on a server, measure it, compare, assert",
    () => import("./bench.md", { with: { type: "text" } }),
  ],
  doctor: [
    "is this machine fit, and are the settings safe?",
    () => import("./doctor.md", { with: { type: "text" } }),
  ],
  network: [
    "TLS, reverse proxies, private CAs, outbound proxies",
    () => import("./network.md", { with: { type: "text" } }),
  ],
  backup: [
    "back up, restore, upgrade, roll back",
    () => import("./backup.md", { with: { type: "text" } }),
  ],
  limits: [
    "overload, rate limits, what does not work yet",
    () => import("./limits.md", { with: { type: "text" } }),
  ],
  protocol: [
    "MCP revisions, transports, sessions, tasks",
    () => import("./protocol.md", { with: { type: "text" } }),
  ],
  contextforge: [
    "move from ContextForge: what works, what differs",
    () => import("./contextforge.md", { with: { type: "text" } }),
  ],
  troubleshooting: [
    "from the symptom to the cause and the remedy",
    () => import("./troubleshooting.md", { with: { type: "text" } }),
  ],
  security: [
    "whom the gateway trusts, defaults, checks, limits",
    () => import("./security.md", { with: { type: "text" } }),
  ],
} as const;

export type TopicName = keyof typeof PAGES;

export interface Topic {
  readonly name: TopicName;
  /** One line, without a capital and a full stop. */
  readonly summary: string;
}

export const TOPICS: readonly Topic[] = (Object.keys(PAGES) as TopicName[])
  .map((name) => ({ name, summary: PAGES[name][0] }));

export function isTopic(word: string): word is TopicName {
  return Object.hasOwn(PAGES, word);
}

/** The Markdown of a page. */
export async function readTopic(name: TopicName): Promise<string> {
  return (await PAGES[name][1]()).default;
}
