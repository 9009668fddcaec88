// The real ContextForge, from PyPI, as a child process, and what people make in it before they move.
import { endChild } from "./end_child.ts";
import { freePort } from "./free_port.ts";
import { askApi } from "./gateway_api.ts";
import type { GuardedUpstream } from "./guarded_upstream.ts";
import { waitFor } from "./wait_for.ts";

export const PASSWORD = "Moving-Password-1!";
export const JWT_SECRET = "jwt-secret-key-of-those-who-move-0123456789-abcdef";
export const ENCRYPTION_SECRET = "encryption-secret-of-those-who-move-0123456789-abc";
export const ADMIN = "admin@example.com";

/** The credentials of the upstreams, by the gateway's name. */
export const CREDENTIALS = {
  Tickets: ["authorization", "Bearer upstream-token-1"],
  Basic: ["authorization", `Basic ${btoa("ann:upstream-password-2")}`],
  "Team tools": ["x-api-key", "upstream-key-3"],
  Query: ["?key", "upstream-parameter-4"],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

export type Upstreams = Readonly<Record<keyof typeof CREDENTIALS, GuardedUpstream>>;

/** A request, and the answer's status with its body: parsed where it is JSON. */
export type Ask = (
  method: string,
  path: string,
  body: unknown,
  token: string | null,
  // deno-lint-ignore no-explicit-any -- answers of any route
) => Promise<{ readonly status: number; readonly body: any }>;

/** The ids and tokens that ContextForge has given. */
export interface Made {
  readonly servers: { readonly desk: string; readonly team: string };
  readonly teams: { readonly support: string };
  /** Texts of API tokens, by the name of the token. */
  readonly tokens: Readonly<Record<string, string>>;
}

export interface ContextForgeOptions {
  /** The Python that has the package. */
  readonly python: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs. */
  readonly cwd: string;
  readonly databaseUrl: string;
}

export class ContextForge implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;

  private constructor(port: number, child: Deno.ChildProcess) {
    this.url = `http://127.0.0.1:${port}`;
    this.#child = child;
  }

  static async start({ python, env, cwd, databaseUrl }: ContextForgeOptions): Promise<ContextForge> {
    const port = freePort();
    const child = new Deno.Command(python, {
      args: ["-m", "uvicorn", "mcpgateway.main:app", "--host", "127.0.0.1", "--port", String(port)],
      cwd,
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH")!,
        HOME: cwd,
        ...env,
        DATABASE_URL: databaseUrl,
        JWT_SECRET_KEY: JWT_SECRET,
        AUTH_ENCRYPTION_SECRET: ENCRYPTION_SECRET,
        PLATFORM_ADMIN_EMAIL: ADMIN,
        PLATFORM_ADMIN_PASSWORD: PASSWORD,
        DEFAULT_USER_PASSWORD: PASSWORD,
        BASIC_AUTH_PASSWORD: PASSWORD,
        PASSWORD_CHANGE_ENFORCEMENT_ENABLED: "false",
        SSRF_ALLOW_LOCALHOST: "true",
        SSRF_ALLOW_PRIVATE_NETWORKS: "true",
        INSECURE_ALLOW_QUERYPARAM_AUTH: "true",
        RATE_LIMITING_ENABLED: "false",
        ENABLE_HEADER_PASSTHROUGH: "true",
        DEFAULT_PASSTHROUGH_HEADERS: '["X-Tenant-Id","X-Trace-Id"]',
        MCPGATEWAY_UI_ENABLED: "false",
        MCPGATEWAY_ADMIN_API_ENABLED: "true",
        CACHE_TYPE: "memory",
        LOG_LEVEL: "ERROR",
      },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const program = new ContextForge(port, child);
    const isUp = () =>
      fetch(`${program.url}/health`).then(async (response) => {
        await response.body?.cancel();
        return response.ok;
      }, () => false);
    await waitFor(isUp, { what: "ContextForge", deadlineMs: 120_000 });
    return program;
  }

  readonly ask: Ask = (method, path, body, bearer) =>
    askApi(this.url + path, { method, body, bearer, client: undefined });

  /** @returns the answer's body. @throws {Error} for a status of 400 or more */
  // deno-lint-ignore no-explicit-any -- answers of any route
  async done(method: string, path: string, body?: unknown, token: string | null = null): Promise<any> {
    const { status, body: answer } = await this.ask(method, path, body, token);
    if (status < 400) return answer;
    throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`);
  }

  async login(email: string): Promise<string> {
    return (await this.done("POST", "/auth/login", { email, password: PASSWORD })).access_token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endChild(this.#child);
  }
}

/** Makes what an organisation has: people, teams, upstreams with credentials, virtual servers, tokens, and what Sluice cannot take. */
export async function populate(program: ContextForge, upstreams: Upstreams): Promise<Made> {
  const admin = await program.login(ADMIN);
  const ask = (method: string, path: string, body?: unknown, token = admin) =>
    program.done(method, path, body, token);
  for (const [email, full_name] of [["bob@example.com", "Bob"], ["carol@example.com", "Carol"]]) {
    await ask("POST", "/auth/email/admin/users", { email, password: PASSWORD, full_name });
  }
  const support = await ask("POST", "/teams/", {
    name: "Support",
    description: "Answers <b>tickets</b>",
    visibility: "private",
  });
  await ask("POST", `/teams/${support.id}/members`, { email: "bob@example.com", role: "member" });
  const roles: { id: string; name: string }[] = await ask("GET", "/rbac/roles");
  const developer = roles.find(({ name }) => name === "developer")!;
  await ask("POST", "/rbac/users/bob@example.com/roles", {
    role_id: developer.id,
    scope: "team",
    scope_id: support.id,
  });
  const auditor = await ask("POST", "/rbac/roles", {
    name: "auditor",
    description: "Reads what there is",
    scope: "global",
    permissions: ["tools.read", "servers.read", "admin.security_audit", "a2a.read"],
  });
  await ask("POST", "/rbac/users/carol@example.com/roles", { role_id: auditor.id, scope: "global" });

  await ask("POST", "/gateways", {
    name: "Tickets",
    url: upstreams.Tickets.url,
    transport: "STREAMABLEHTTP",
    description: "The ticket system",
    tags: ["Support desk"],
    auth_type: "bearer",
    auth_token: "upstream-token-1",
    visibility: "public",
  });
  await ask("POST", "/gateways", {
    name: "Basic",
    url: upstreams.Basic.url,
    transport: "STREAMABLEHTTP",
    auth_type: "basic",
    auth_username: "ann",
    auth_password: "upstream-password-2",
    passthrough_headers: ["X-Trace-Id"],
    visibility: "public",
  });
  const team = await ask("POST", "/gateways", {
    name: "Team tools",
    url: upstreams["Team tools"].url,
    transport: "STREAMABLEHTTP",
    auth_type: "authheaders",
    auth_headers: [{ key: "X-API-Key", value: "upstream-key-3" }],
    visibility: "team",
    team_id: support.id,
  });
  await ask("POST", "/gateways", {
    name: "Query",
    url: upstreams.Query.url,
    transport: "STREAMABLEHTTP",
    auth_type: "query_param",
    auth_query_param_key: "key",
    auth_query_param_value: "upstream-parameter-4",
    visibility: "public",
  });
  const tools: { id: string; name: string; gatewayId: string }[] = await ask("GET", "/tools?limit=0");
  const tool = (name: string) => tools.find((each) => each.name === name)!.id;
  await ask("PUT", `/tools/${tool("tickets-open-ticket")}`, {
    custom_name: "new_ticket",
    displayName: "New ticket",
    description: "Opens a ticket for a customer",
    tags: ["tickets"],
    timeout_ms: 12_000,
  });
  await ask("POST", `/tools/${tool("tickets-close-ticket")}/state?activate=false`);
  await ask("POST", "/tools", {
    tool: {
      name: "weather",
      url: upstreams.Tickets.url.replace("/mcp", "/weather"),
      integration_type: "REST",
      request_type: "GET",
      description: "A REST tool",
      input_schema: { type: "object", properties: { city: { type: "string" } } },
    },
    visibility: "public",
  });
  await ask("POST", "/resources", {
    resource: { uri: "notes://welcome", name: "welcome", content: "Welcome!", mime_type: "text/plain" },
    visibility: "public",
  });
  await ask("POST", "/prompts", {
    prompt: {
      name: "summary",
      template: "Summarise {{ text }}",
      arguments: [{ name: "text", required: true }],
    },
    visibility: "public",
  });
  await ask("POST", "/a2a", {
    agent: {
      name: "helper",
      endpoint_url: upstreams.Tickets.url.replace("/mcp", "/agent"),
      agent_type: "jsonrpc",
      description: "An agent",
    },
    visibility: "public",
  });
  const resources: { id: string; uri: string; gatewayId: string }[] = await ask("GET", "/resources?limit=0");
  const prompts: { id: string; name: string }[] = await ask("GET", "/prompts?limit=0");
  const desk = await ask("POST", "/servers", {
    server: {
      id: "6f1c0d7e-52a4-4a3b-9d36-0f0a4d1f7c11",
      name: "Desk",
      description: "For the support desk",
      tags: ["desk"],
      associated_tools: [tool("tickets-open-ticket"), tool("basic-seen-headers")],
      associated_resources: [resources.find(({ uri }) => uri === "ticket://formats")!.id],
      associated_prompts: [prompts.find(({ name }) => name === "tickets-greet")!.id],
    },
    visibility: "public",
  });
  const teamServer = await ask("POST", "/servers", {
    server: {
      name: "Team server",
      associated_tools: tools.filter(({ gatewayId }) => gatewayId === team.id).map(({ id }) => id),
    },
    visibility: "team",
    team_id: support.id,
  });
  const bob = await program.login("bob@example.com");
  const token = async (name: string, more: Record<string, unknown>, as: string) =>
    (await ask("POST", "/tokens", { name, expires_in_days: 3650, ...more }, as)).access_token;
  const tokens: Record<string, string> = {
    plain: await token("plain", {}, bob),
    team: await token("team", { team_id: support.id }, bob),
    desk: await token(
      "desk",
      { scope: { server_id: desk.id, permissions: ["tools.read", "tools.execute"] } },
      admin,
    ),
  };
  const revoked = await ask("POST", "/tokens", { name: "revoked", expires_in_days: 3650 }, bob);
  tokens.revoked = revoked.access_token;
  await ask("DELETE", `/tokens/${revoked.token.id}`, { reason: "lost laptop" }, bob);
  return { servers: { desk: desk.id, team: teamServer.id }, teams: { support: support.id }, tokens };
}
