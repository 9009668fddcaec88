// What an organisation sees after its move from ContextForge. The same calls are answered alike by both programs.
import { assert, assertEquals } from "@std/assert";
import { ADMIN, type Ask, CREDENTIALS, type Made, PASSWORD, type Upstreams } from "./contextforge_program.ts";
import { GuardedUpstream } from "./guarded_upstream.ts";

/** The upstreams of the organisation. They end with the object. */
export class OrganisationUpstreams implements AsyncDisposable {
  readonly all: Upstreams;

  constructor() {
    this.all = Object.fromEntries(
      Object.entries(CREDENTIALS).map(([name, credentials]) => [name, new GuardedUpstream(credentials)]),
    ) as Upstreams;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const upstream of Object.values(this.all)) await upstream[Symbol.asyncDispose]();
  }
}

/** What both programs answer: everything that people and agents of the organisation ask for. */
export async function answersOf(
  ask: Ask,
  { servers, teams, tokens }: Made,
): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {};
  const names = (list: readonly Record<string, unknown>[], key = "name") =>
    list.map((each) => String(each[key])).sort();
  const login = await ask("POST", "/auth/login", { email: ADMIN, password: PASSWORD }, null);
  answers.login = login.status;
  const admin = login.body.access_token;
  answers.bobsLogin =
    (await ask("POST", "/auth/login", { email: "bob@example.com", password: PASSWORD }, null)).status;
  const wrong = { email: "carol@example.com", password: "Wrong-Password-1!" };
  answers.isWrongPasswordRefused = (await ask("POST", "/auth/login", wrong, null)).status >= 400;
  const gateways = (await ask("GET", "/gateways?include_inactive=true&limit=0", undefined, admin)).body;
  answers.gateways = gateways.map((
    { id, name, url, transport, visibility, teamId, ownerEmail, enabled }: Record<string, unknown>,
  ) => ({ id, name, url, transport, visibility, teamId, ownerEmail, enabled }))
    .sort((a: { name: string }, b: { name: string }) => a.name < b.name ? -1 : 1);
  const tools = (await ask("GET", "/tools?include_inactive=true&limit=0", undefined, admin)).body
    .filter(({ gatewayId }: { gatewayId: string | null }) => gatewayId !== null);
  answers.tools = tools.map((
    { id, name, originalName, description, enabled, timeoutMs, tags }: Record<string, unknown>,
  ) => ({
    ...{ id, name, originalName, description, enabled, timeoutMs, tags },
  })).sort((a: { name: string }, b: { name: string }) => a.name < b.name ? -1 : 1);
  for (const [name, id] of Object.entries(servers)) {
    const { body } = await ask("GET", `/servers/${id}`, undefined, admin);
    answers[`server ${name}`] = {
      id: body.id,
      name: body.name,
      description: body.description,
      visibility: body.visibility,
      tags: body.tags,
      tools: names((await ask("GET", `/servers/${id}/tools`, undefined, admin)).body, "id"),
      resources: names((await ask("GET", `/servers/${id}/resources`, undefined, admin)).body, "uri"),
      prompts: names((await ask("GET", `/servers/${id}/prompts`, undefined, admin)).body),
    };
  }
  const members = (await ask("GET", `/teams/${teams.support}/members`, undefined, admin)).body;
  answers.members = (Array.isArray(members) ? members : members.members)
    .map(({ user_email, role }: Record<string, string>) => `${user_email} ${role}`).sort();
  const list = async (token: string, params: unknown = {}) => {
    const { status, body } = await ask("POST", "/rpc", {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/list",
      params,
    }, token);
    return status !== 200 ? status : body.result === undefined ? body.error.code : names(body.result.tools)
      .filter((name) => !/^(weather|a2a-helper)$/.test(name));
  };
  answers.desksTools = await list(admin, { server_id: servers.desk });
  const call = async (name: string, args: unknown, token: string) => {
    const { status, body } = await ask("POST", "/rpc", {
      ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
      params: { name, arguments: args },
    }, token);
    return status === 200 ? body.result?.content?.[0]?.text ?? "refused" : status;
  };
  // Each upstream answers its own credentials only.
  for (
    const name of ["tickets-new-ticket", "basic-open-ticket", "team-tools-open-ticket", "query-open-ticket"]
  ) {
    answers[`call ${name}`] = await call(name, { title: "printer" }, admin);
  }
  answers.switchedOff = await call("tickets-close-ticket", {}, admin);
  // API tokens keep working. Bob is in the team.
  answers.plainToken = await list(tokens.plain!);
  answers.plainTokenCalls = await call("tickets-new-ticket", { title: "x" }, tokens.plain!);
  answers.teamToken = await list(tokens.team!);
  answers.teamTokenCalls = await call("team-tools-open-ticket", { title: "x" }, tokens.team!);
  answers.revokedToken = await list(tokens.revoked!);
  return answers;
}

/** What both lists have, for an assertion that shows the difference by its key. */
export function assertAlike(here: Record<string, unknown>, there: Record<string, unknown>): void {
  for (const [key, answer] of Object.entries(there)) assertEquals([key, here[key]], [key, answer]);
  assert(Object.keys(there).length > 10);
}
