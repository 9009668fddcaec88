// Who may do what over MCP: every method, on every transport and endpoint, for every kind of caller, token and entry, against rules that
// are written here anew. What a caller may not see is answered like what does not exist.
import { assert, assertEquals } from "@std/assert";
import { type Method, METHOD_PERMISSIONS } from "../../src/auth/method_permissions.ts";
import type { Permission } from "../../src/auth/permission_table.ts";
import {
  MCP_TRANSPORTS,
  type McpConnection,
  type McpTransport,
  type Said,
} from "../support/mcp_transports.ts";
import { Sluice } from "../support/sluice.ts";

const CALLERS = ["ada", "dev", "member", "guest", "helper", "plain"] as const;
type Caller = typeof CALLERS[number];

const emailOf = (name: Caller) => `${name}@x.org`;

/** Who sees the entries of an upstream. `helper` has a role for the virtual server "mixed" alone; `plain` has no user record. */
const PLACES = {
  open: { visibility: "public" },
  ours: { visibility: "team", team: "ours" },
  theirs: { visibility: "team", team: "theirs" },
  own: { visibility: "private", owner_email: emailOf("dev") },
} as const;
type Place = keyof typeof PLACES;
const NAMES = Object.keys(PLACES) as Place[];

/** The limits that a token can have. */
const TOKENS = {
  "whole": {},
  "without teams": { teams: [] },
  "of the team": { teams: ["ours"] },
  "to read tools": { scopes: { permissions: ["tools.read"] } },
  "for one server": { scopes: { server_id: "mixed" } },
} as const;
type TokenKind = keyof typeof TOKENS;

/** "mixed" is public, "inner" the team's, and both have all entries. */
const ENDPOINTS = [null, "mixed", "inner"] as const;
type Endpoint = typeof ENDPOINTS[number];

interface Cell {
  readonly name: Caller;
  readonly token: TokenKind;
  readonly endpoint: Endpoint;
}

const namesTeams = (token: TokenKind) => token === "without teams" || token === "of the team";

/** An administrator whose token names teams has the rights of one in these. */
const isInTeam = ({ name, token }: Cell) =>
  token !== "without teams" &&
  (name === "dev" || name === "member" || name === "plain" || (name === "ada" && token === "of the team"));

function seesAll({ name, token }: Cell): boolean {
  return name === "ada" && !namesTeams(token);
}

function sees(cell: Cell, place: Place): boolean {
  if (place === "open" || seesAll(cell)) return true;
  if (place === "ours") return isInTeam(cell);
  return place === "own" && cell.name === "dev" && cell.token !== "without teams";
}

function isAllowed(cell: Cell, permission: Permission | null): boolean {
  const { name, token, endpoint } = cell;
  if (permission === null) return true;
  if (token === "to read tools" && permission !== "tools.read") return false;
  if (permission !== "tools.execute" || name === "plain" || seesAll(cell)) return true;
  return name === "helper" ? endpoint === "mixed" || token === "for one server" : isInTeam(cell);
}

/** What the endpoint itself answers. */
function endpointOutcome(cell: Cell): Outcome {
  if (cell.token === "for one server" && cell.endpoint === "inner") return "forbidden";
  return cell.endpoint === "inner" && !isInTeam(cell) && !seesAll(cell) ? "unknown" : "answered";
}

type Outcome = "answered" | "unknown" | "forbidden";

function outcomeOf({ status, body }: Said): Outcome {
  const code = body?.error?.data?.code ?? body?.code ?? "";
  if (code === "FORBIDDEN" || status === 403) return "forbidden";
  // The last one: an upstream that may know the URI has answered that it does not.
  const isUnknown = /NOT_FOUND$/.test(code) || status === 404 ||
    /^Resource not found/.test(body?.error?.message);
  return isUnknown ? "unknown" : "answered";
}

interface Case {
  /** The request about the entry of a place; without `place`, the request is about none. */
  readonly params: (place: string) => Readonly<Record<string, unknown>>;
  readonly isAboutEntry?: true;
  /** The names in the answer: a list shows what the caller sees, and no more. */
  readonly listed?: (result: Said["body"]) => string[];
  readonly on?: "sessions" | "stateless";
}

const lists = (key: string, name = "name"): Case => ({
  params: () => ({}),
  listed: (result) => result[key].map((each: Record<string, string>) => each[name].replace(/\W.*$/, "")),
});
const aboutEntry = (params: Case["params"], on?: Case["on"]): Case => ({ params, isAboutEntry: true, on });
const plainly = (on?: Case["on"], params = {}): Case => ({ params: () => params, on });

/** One or several for each method of the table. */
const CASES: Readonly<Record<Exclude<Method, "initialize">, Case | readonly Case[]>> = {
  "server/discover": plainly("stateless"),
  "ping": plainly("sessions"),
  "logging/setLevel": plainly("sessions", { level: "error" }),
  "tools/list": lists("tools"),
  "tools/call": aboutEntry((place) => ({ name: `${place}-t`, arguments: {} })),
  "tasks/list": plainly("sessions"),
  "tasks/get": plainly(undefined, { taskId: "none" }),
  "tasks/result": plainly("sessions", { taskId: "none" }),
  "tasks/update": plainly("stateless", { taskId: "none" }),
  "tasks/cancel": plainly(undefined, { taskId: "none" }),
  "resources/list": lists("resources", "uri"),
  "resources/templates/list": lists("resourceTemplates", "uriTemplate"),
  "resources/read": [
    aboutEntry((place) => ({ uri: `${place}://r` })),
    aboutEntry((place) => ({ uri: `${place}://made/1` })),
  ],
  "resources/subscribe": aboutEntry((place) => ({ uri: `${place}://r` }), "sessions"),
  "resources/unsubscribe": aboutEntry((place) => ({ uri: `${place}://r` }), "sessions"),
  "prompts/list": lists("prompts"),
  "prompts/get": aboutEntry((place) => ({ name: `${place}-p` })),
  "completion/complete": [
    aboutEntry((place) => ({
      ref: { type: "ref/prompt", name: `${place}-p` },
      argument: { name: "a", value: "" },
    })),
    aboutEntry((place) => ({
      ref: { type: "ref/resource", uri: `${place}://made/{id}` },
      argument: { name: "id", value: "" },
    })),
  ],
};

function permissionOf(method: Method, params: Readonly<Record<string, unknown>>): Permission | null {
  if (method !== "completion/complete") return METHOD_PERMISSIONS[method];
  return (params.ref as { type: string }).type === "ref/prompt" ? "prompts.read" : "resources.read";
}

/** An upstream that offers a tool, a resource, a template and a prompt with the name of its path. */
async function answerUpstream(request: Request): Promise<Response> {
  if (request.method !== "POST") return new Response(null, { status: 405 });
  const { id, method, params } = JSON.parse(await request.text());
  if (id === undefined) return new Response(null, { status: 202 });
  const place = new URL(request.url).pathname.slice(1);
  const { uri } = params ?? {};
  if (uri !== undefined && !uri.startsWith(`${place}://`)) {
    return Response.json({ jsonrpc: "2.0", id, error: { code: -32002, message: "Resource not found" } });
  }
  const result = {
    "initialize": {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {}, logging: {} },
      serverInfo: { name: place, version: "1" },
    },
    "tools/list": { tools: [{ name: "t", inputSchema: { type: "object" } }] },
    "tools/call": { content: [] },
    "resources/list": { resources: [{ uri: `${place}://r`, name: "r" }] },
    "resources/templates/list": { resourceTemplates: [{ uriTemplate: `${place}://made/{id}`, name: "m" }] },
    "resources/read": { contents: [] },
    "prompts/list": { prompts: [{ name: "p", arguments: [{ name: "a" }] }] },
    "prompts/get": { messages: [] },
    "completion/complete": { completion: { values: [] } },
  }[method as string] ?? {};
  return Response.json({ jsonrpc: "2.0", id, result });
}

/** The gateway with its users and entries, and the tokens of the callers. */
async function setUp(sluice: Sluice, upstream: string) {
  const api = async (method: string, path: string, body?: unknown) => {
    const answer = await sluice.api(method, path, body);
    assert(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  for (const name of CALLERS) {
    if (name === "plain") continue;
    await api("POST", "/auth/email/admin/users", {
      ...{ email: emailOf(name), password: "correct horse battery", is_admin: name === "ada" },
    });
  }
  const teams: Record<string, string> = {};
  for (const name of ["ours", "theirs"]) teams[name] = (await api("POST", "/teams", { name })).id;
  for (const name of ["dev", "member"] as const) {
    await api("POST", `/teams/${teams.ours}/members`, { email: emailOf(name) });
  }
  await api("POST", `/rbac/users/${emailOf("dev")}/roles`, {
    ...{ role_id: "developer", scope: "team", scope_id: teams.ours },
  });
  for (const place of NAMES) {
    const { team, ...sharing } = { team: undefined, ...PLACES[place] };
    const more = team === undefined ? sharing : { ...sharing, team_id: teams[team] };
    await api("POST", "/gateways", { name: place, url: `${upstream}/${place}`, ...more });
  }
  const ids = async (kind: string) => (await api("GET", `/${kind}`)).map(({ id }: { id: string }) => id);
  const members = {
    revisions: "all",
    associated_tools: await ids("tools"),
    associated_resources: [
      ...await ids("resources"),
      ...(await api("GET", "/resources/templates/list")).resource_templates.map(({ id }: { id: string }) =>
        id
      ),
    ],
    associated_prompts: await ids("prompts"),
  };
  await api("POST", "/servers", { server: { id: "mixed", name: "mixed", ...members } });
  await api("POST", "/servers", {
    ...{ server: { id: "inner", name: "inner", ...members }, visibility: "team", team_id: teams.ours },
  });
  await api("POST", `/rbac/users/${emailOf("helper")}/roles`, {
    ...{ role_id: "viewer", scope: "server", scope_id: "mixed" },
  });
  return async (name: Caller, kind: TokenKind) =>
    await sluice.token({
      username: emailOf(name),
      admin: false,
      claims: {
        teams: name === "ada" ? null : name === "guest" || name === "helper" ? ["none"] : [teams.ours],
        ...TOKENS[kind],
        ...(kind === "of the team" ? { teams: [teams.ours] } : {}),
      },
    });
}

/** A name in an error gives way to a mark, so that the errors of two names can be compared. */
function withoutName(said: Said, place: string): string {
  return JSON.stringify(said, (key, value) => key === "correlationId" ? undefined : value).replaceAll(
    new RegExp(`\\b${place}\\b`, "g"),
    "NAME",
  );
}

Deno.test("every method of MCP × transport × endpoint × caller × token × entry is answered, forbidden or unknown by the rules (timed)", async () => {
  const upstream = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answerUpstream);
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 32 });
  try {
    await using sluice = await Sluice.start({
      env: { MCP_REVISIONS: "all", MCP_LEGACY_SSE_ENABLED: "true" },
    });
    const tokenOf = await setUp(sluice, `http://127.0.0.1:${upstream.addr.port}`);
    const wrong: string[] = [];
    let cells = 0;
    const expect = (label: string, found: unknown, expected: unknown) => {
      cells++;
      if (found !== expected) wrong.push(`${label}: ${found}, not ${expected}`);
    };

    const probe = async (transport: McpTransport, cell: Cell, connection: McpConnection) => {
      const label = `${transport.name} ${cell.endpoint ?? "/"} by ${cell.name}, token ${cell.token}`;
      const atEndpoint = endpointOutcome(cell);
      for (const [method, cases] of Object.entries(CASES) as [Method, Case | readonly Case[]][]) {
        for (const each of Array.isArray(cases) ? cases : [cases as Case]) {
          if (each.on === "sessions" && !transport.hasSession) continue;
          if (each.on === "stateless" && transport.name !== "the stateless revision") continue;
          const ask = (place: string) => connection.ask(method, each.params(place));
          const permission = permissionOf(method, each.params("none"));
          const general = atEndpoint !== "answered"
            ? atEndpoint
            : isAllowed(cell, permission)
            ? "answered"
            : "forbidden";
          if (!each.isAboutEntry) {
            const said = await ask("");
            expect(`${method}, ${label}`, outcomeOf(said), general);
            if (each.listed === undefined || general !== "answered" || said.body.result === undefined) {
              continue;
            }
            const shown = each.listed(said.body.result).toSorted().join();
            expect(
              `${method}, ${label}`,
              shown,
              NAMES.filter((place) => sees(cell, place)).toSorted().join(),
            );
            continue;
          }
          const [first, ...others] = await Promise.all(["nothing", ...NAMES].map(ask));
          const nothing = withoutName(first!, "nothing");
          for (const [i, place] of NAMES.entries()) {
            const said = others[i]!;
            const expected = general === "answered" && !sees(cell, place) ? "unknown" : general;
            expect(`${method} ${place}, ${label}`, outcomeOf(said), expected);
            if (expected === "answered") continue;
            expect(`${method} ${place}, ${label}, like nothing`, withoutName(said, place), nothing);
          }
        }
      }
    };

    const connectAndProbe = async (transport: McpTransport, cell: Cell) => {
      const token = await tokenOf(cell.name, cell.token);
      const opened = await transport.connect({ url: sluice.url, token, serverId: cell.endpoint, client });
      if ("ask" in opened) {
        await using connection = opened;
        await probe(transport, cell, connection);
      } else {
        const label = `${transport.name} ${cell.endpoint ?? "/"} by ${cell.name}, token ${cell.token}`;
        expect(label, outcomeOf(opened), endpointOutcome(cell));
      }
    };
    const all = MCP_TRANSPORTS.flatMap((
      transport,
    ) =>
      CALLERS.flatMap((name) =>
        (Object.keys(TOKENS) as TokenKind[]).flatMap((token) =>
          ENDPOINTS.filter((endpoint) => endpoint === null || transport.hasServers)
            .map((endpoint) => () => connectAndProbe(transport, { name, token, endpoint }))
        )
      )
    );
    const next = all.values();
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (const run of next) await run();
    }));
    assertEquals(wrong.slice(0, 20), [], `${wrong.length} of ${cells}`);
    assert(cells > 15_000, String(cells));

    // A refusal takes as long for an entry that is hidden as for one that does not exist.
    const rpc = MCP_TRANSPORTS.find(({ name }) => name === "/rpc")!;
    const token = await tokenOf("member", "whole");
    await using member = await rpc.connect({
      url: sluice.url,
      token,
      serverId: null,
      client,
    }) as McpConnection;
    const times: Record<string, number[]> = { "theirs-t": [], "nothing-t": [] };
    for (let i = 0; i < 300; i++) {
      for (const [name, taken] of Object.entries(times)) {
        const startedAt = performance.now();
        await member.ask("tools/call", { name, arguments: {} });
        taken.push(performance.now() - startedAt);
      }
    }
    const [hidden, missing] = Object.values(times).map((taken) => taken.toSorted((a, b) => a - b)[150]!);
    assert(
      Math.abs(hidden! - missing!) < 0.5 * missing!,
      `hidden ${hidden} ms, missing ${missing} ms (medians)`,
    );
  } finally {
    client.close();
    await upstream.shutdown();
  }
});
