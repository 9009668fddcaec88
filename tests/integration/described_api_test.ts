// The answers of the whole REST API are as /openapi.json describes them, with no field more and none less.
import { assert, assertEquals } from "@std/assert";
import { DescribedApi, type Question } from "../support/described_api.ts";
import { Sluice } from "../support/sluice.ts";
import { startEverything } from "../support/upstream_everything.ts";

/** The groups whose operations are all asked here. */
const TAGS = [
  "Gateways",
  "Tools",
  "Resources",
  "Prompts",
  "Servers",
  "Tags",
  "Import",
  "Tokens",
  "Operation",
  "Documents",
];

Deno.test("every operation answers as the OpenAPI document describes it, and the document's examples are true", async () => {
  await using everything = await startEverything();
  await using sluice = await Sluice.start({ env: { AUDIT_TRAIL_ENABLED: "true" } });
  const api = await DescribedApi.of(sluice);
  assertEquals(api.exampleFaults((await sluice.api("GET", "/openapi.json")).body), []);

  const ask = (operation: string, question?: Question) => api.ask(operation, question);
  const { id: gateway } = await ask("createGateway", {
    body: {
      name: "everything",
      url: everything.url,
      tags: ["Time zones"],
      auth_type: "bearer",
      auth_token: "T",
      colour: 1,
    },
  });
  const [{ id: tool, name: toolName }] = await ask("listTools");
  const [{ id: resource }] = await ask("listResources");
  const prompts: { id: string; name: string }[] = await ask("listPrompts");
  const prompt = prompts.find(({ name }) => name.endsWith("simple-prompt"))!.id;
  const { id: server } = await ask("createServer", {
    body: { server: { name: "Travel", associated_tools: [toolName], associated_gateways: ["everything"] } },
  });
  await ask("createServer", { body: { server: { name: "Travel" } }, status: 409 });
  await ask("testGateway", { body: { name: "tried", url: everything.url } });
  await ask("testGateway", { body: { name: "tried" }, status: 422 });

  for (const kind of ["Gateways", "Tools", "Resources", "Prompts", "Servers"]) {
    await ask(`list${kind}`);
    await ask(`list${kind}`, { query: "?include_pagination=true&limit=1" });
    await ask(`page${kind}`, { query: "?per_page=1" });
    await ask(`list${kind}`, { query: "?limit=-1", status: 422 });
  }
  await ask("listResourceTemplates");
  await ask("listTags", { query: "?include_entities=true" });
  await ask("listTagged", { path: { tag: "Time zones" } });
  for (const kind of ["Tool", "Resource", "Prompt"]) await ask(`create${kind}`, { status: 422 });

  const entries = { Tool: tool, Resource: resource, Prompt: prompt, Gateway: gateway, Server: server };
  for (const [kind, id] of Object.entries(entries)) {
    await ask(`get${kind}`, { path: { id } });
    await ask(`get${kind}`, { path: { id: "unknown" }, status: 404 });
    await ask(`update${kind}`, { path: { id } });
    await ask(`update${kind}`, { path: { id }, body: { tags: 1 }, status: 422 });
    for (const verb of ["switch", "toggle"]) {
      await ask(`${verb}${kind}`, { path: { id }, query: "?activate=false" });
      await ask(`${verb}${kind}`, { path: { id } });
    }
  }
  await ask("getResourceInfo", { path: { id: resource } });
  await ask("getPromptInfo", { path: { id: prompt } });
  await ask("renderPrompt", { path: { id: prompt }, body: {} });
  for (const kind of ["Tools", "Resources", "Prompts"]) {
    await ask(`listServer${kind}`, { path: { id: server } });
  }
  await ask("refreshGateway", {
    path: { id: gateway },
    query: "?include_resources=true&include_prompts=true",
  });
  await ask("listGatewayHistory", { path: { id: gateway } });
  await ask("listRemoved", { path: { id: gateway } });
  await ask("forgetRemoved", { path: { id: gateway, entry: "unknown" }, status: 404 });
  const guarded = { url: everything.url, auth_type: "bearer", auth_token: "U", tool_approval: "all" };
  await ask("createGateway", { body: { name: "guarded", ...guarded } });
  const [first, second]: { id: string; hash: string }[] = await ask("listHeldOfGateway", {
    path: { id: "guarded" },
  });
  for (const [decide, { id, hash }] of [["approveHeld", first], ["rejectHeld", second]] as const) {
    await ask(decide, {
      path: { id: "guarded" },
      body: { changes: [{ id, hash: "0".repeat(64) }] },
      status: 409,
    });
    await ask(decide, { path: { id: "guarded" }, body: { changes: [{ id, hash }] } });
    await ask(decide, { path: { id: "guarded" }, body: { changes: [] }, status: 422 });
  }
  await ask("listHeldChanges");
  await ask("importMcpServers", {
    body: {
      mcpServers: { again: { url: everything.url }, broken: 1, off: { command: "x", disabled: true } },
    },
  });

  // As long as nobody could log in.
  await ask("registerClient");
  // API tokens belong to users with a record.
  const user = { email: "admin@example.com", password: "A-long-Password-7", is_admin: true };
  assertEquals((await sluice.api("POST", "/auth/email/admin/users", user)).status, 201);
  const { body: { id: team } } = await sluice.api("POST", "/teams", { name: "Crew" });
  const scope = { permissions: ["tools.read", "tools.raed"], ip_restrictions: ["192.0.2.0/24"] };
  const { token: { id: apiToken }, access_token } = await ask("createToken", {
    body: { name: "ci", expires_in_days: 30, scope },
  });
  assert(access_token.split(".").length === 3);
  await ask("createToken", { body: { name: "ci", expires_in_days: 30 }, status: 409 });
  await ask("createTeamToken", { path: { team } });
  await ask("listTokens");
  await ask("listTeamTokens", { path: { team } });
  await ask("listAllTokens", { query: "?limit=1" });
  for (const read of ["getToken", "getTokenUsage"]) {
    await ask(read, { path: { id: apiToken } });
    await ask(read, { path: { id: "unknown" }, status: 404 });
  }
  await ask("updateToken", { path: { id: apiToken } });
  await ask("updateToken", {
    path: { id: apiToken },
    body: { scope: { usage_limits: { x: 1 } } },
    status: 422,
  });
  for (const revoke of ["revokeToken", "revokeTokenAsAdmin"]) await ask(revoke, { path: { id: "a-token" } });
  await ask("listRevokedTokens");
  for (
    const read of [
      ...[
        "getHealth",
        "getReadiness",
        "getVersion",
        "getMetrics",
        "getMetricsForPrometheus",
        "getPoolMetrics",
      ],
      ...["resetMetrics", "drainPool", "getFrontPage", "getOpenApi", "getDocs", "postRpc"],
    ]
  ) await ask(read);
  await ask("readExecutionHistory", { query: "?entity=gateway&entity_id=none" });
  await ask("readExecutionHistory", { query: "?entity=gateway", status: 422 });
  await ask("listSettings");
  await ask("readCheckup");
  await ask("examine", { status: 202 });
  await ask("adviseSettings", { query: "?users=300" });
  await ask("adviseSettings", { query: "?users=0", status: 422 });
  for (const read of ["listLogLines", "listLogLinesAsAdmin"]) {
    await ask(read, { query: "?limit=1000" });
    await ask(read, { query: "?limit=none", status: 422 });
  }
  for (const stream of ["streamLogLines", "streamLogLinesAsAdmin"]) await api.askStream(stream);
  await ask("drainGateway", { path: { id: gateway } });
  for (const kind of ["Tool", "Resource", "Prompt", "Server", "Gateway"] as const) {
    await ask(`delete${kind}`, { path: { id: entries[kind] } });
  }

  const { records } = await ask("listAuditRecords", { query: "?limit=1000" });
  assert(records.length > 20);

  const left = [...api.operations].filter(([id, { operation }]) =>
    !api.asked.has(id) && TAGS.includes(operation.tags[0])
  );
  assertEquals(left.map(([id]) => id), []);
});
