// The requests of ContextForge's API usage guide (docs/docs/manage/api-usage.md, July 2026) in its order, section by section.
// `$NAMES` are the guide's variables. Left out: `/endpoint`, which stands for any path. A request that the guide sends with
// cookies has a token here.

export interface GuideRequest {
  readonly section: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly body?: unknown;
}

/** A cursor of ContextForge, which means nothing to another gateway. */
const THEIR_CURSOR = "eyJjcmVhdGVkX2F0IjogIjIwMjQtMDEtMDFUMTI6MDA6MDBaIiwgImlkIjogImFiYzEyMyJ9";

const DESCRIBED = (name: string) => ({ name, description: "Updated description", enabled: true });

const upstream = (name: string, description: string) => ({
  ...{ name, url: `$UPSTREAM?for=${name}`, description },
  transport: "STREAMABLEHTTP",
});

const call = (args: unknown) => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "$TOOL_NAME", arguments: args },
});

const server = (name: string, tools: readonly string[]) => ({
  server: { name, description: "Composed server with multiple tools", associated_tools: tools },
});

const restTool = (name: string, method: string) => ({
  ...{ name, displayName: name, url: `http://example.com/${name}`, integration_type: "REST" },
  ...{ request_type: method, description: name, headers: {}, input_schema: { type: "object" } },
});

const importing = (data: unknown) => ({ conflict_strategy: "skip", dry_run: false, import_data: data });

type Line = readonly [request: string, body?: unknown];

const twice = (request: string, body?: unknown): Line[] => [[request, body], [request, body]];

const SECTIONS: Readonly<Record<string, readonly Line[]>> = {
  "Pagination": [
    ["GET /tools"],
    ["GET /tools?include_pagination=true"],
    ["GET /tools?include_pagination=true"],
    ["GET /tools?include_pagination=true&cursor=$NEXT"],
    ["GET /tools?limit=0"],
    ["GET /admin/tools"],
    ["GET /admin/tools?page=2&per_page=25"],
    ["GET /admin/tools?page=5&per_page=50"],
  ],
  "Health & Status": [["GET /health"], ["GET /ready"], ["GET /version"]],
  "Gateway Management": [
    ["GET /gateways"],
    [`GET /gateways?cursor=${THEIR_CURSOR}`],
    ["GET /gateways"],
    ["GET /gateways?include_pagination=false"],
    ["GET /gateways/$GATEWAY_ID"],
    ["POST /gateways", upstream("my-mcp-server", "My custom MCP server")],
    ["GET /gateways/$GATEWAY_ID"],
    ["GET /gateways/my-mcp-server"],
    ["POST /gateways", upstream("git-server", "Git operations MCP server")],
    ["PUT /gateways/$GATEWAY_ID", DESCRIBED("updated-server-name")],
    ["POST /gateways/$GATEWAY_ID/state?activate=false"],
  ],
  "Tool Management": [
    ["GET /tools"],
    [`GET /tools?cursor=${THEIR_CURSOR}`],
    ...twice("GET /tools?include_pagination=false"),
    ["GET /tools?gateway_id=$GATEWAY_ID"],
    ["GET /tools?gateway_id=null"],
    ["GET /tools?visibility=public"],
    ["GET /tools?tags=api,data"],
    ["GET /tools?gateway_id=$GATEWAY_ID&visibility=public&limit=0"],
    ["GET /tools?limit=100"],
    ["GET /tools?limit=0&include_pagination=false"],
    ["GET /tools"],
    ["GET /tools?cursor=null"],
    ...twice("GET /tools/$TOOL_ID"),
    ["GET /tools/$TOOL_ID"],
    ["POST /tools", { tool: restTool("weather-api", "POST") }],
    ["POST /rpc", call({ param1: "value1", param2: "value2" })],
    ["GET /tools"],
    ["GET /tools/$TOOL_ID"],
    ["POST /rpc", call({ param1: "test_value" })],
    ["PUT /tools/$TOOL_ID", { description: "Updated tool description", enabled: true }],
    ["POST /tools/$TOOL_ID/state?activate=false"],
  ],
  "Virtual Server Management": [
    ["GET /servers"],
    [`GET /servers?cursor=${THEIR_CURSOR}`],
    ["GET /servers?include_pagination=false"],
    ["POST /servers", server("my-virtual-server", ["$TOOL_ID"])],
    ["GET /servers/$SERVER_ID"],
    ["GET /tools"],
    ["POST /servers", server("my-virtual-server-2", ["$TOOL_ID", "$TOOL2_ID"])],
    ["GET /servers/$SERVER_ID/tools"],
    ["GET /servers/$SERVER_ID/resources"],
    ["GET /servers/$SERVER_ID/prompts"],
    ["GET /servers/$SERVER_ID/sse"],
    ["PUT /servers/$SERVER_ID", DESCRIBED("updated-server")],
    ["POST /servers/$SERVER_ID/state?activate=false"],
  ],
  "Resource Management": [
    ["GET /resources"],
    [`GET /resources?cursor=${THEIR_CURSOR}`],
    ["GET /resources?include_pagination=false"],
    ["GET /resources?gateway_id=$GATEWAY_ID"],
    ["GET /resources?gateway_id=null"],
    ["GET /resources?visibility=public"],
    ["GET /resources?tags=config,database"],
    ["GET /resources?limit=0&include_pagination=false"],
    ["POST /resources", {
      resource: { name: "config-file", uri: "file:///etc/config.json", content: "{key: value}" },
    }],
    ...twice("GET /resources/$RESOURCE_ID"),
    ["POST /resources/subscribe/$RESOURCE_ID"],
    ["GET /resources/templates/list"],
    ["PUT /resources/$RESOURCE_ID", { description: "Updated description", mime_type: "text/plain" }],
    ["POST /resources/$RESOURCE_ID/state?activate=false"],
  ],
  "Prompt Management": [
    ["GET /prompts"],
    [`GET /prompts?cursor=${THEIR_CURSOR}`],
    ["GET /prompts?include_pagination=false"],
    ["GET /prompts?gateway_id=$GATEWAY_ID"],
    ["GET /prompts?gateway_id=null"],
    ["GET /prompts?visibility=public"],
    ["GET /prompts?tags=template,greeting"],
    ["GET /prompts?limit=0&include_pagination=false"],
    ["POST /prompts", {
      prompt: {
        name: "code-review",
        template: "Review:\n\n{{code}}",
        arguments: [{ name: "code", description: "Code to review", required: true }],
      },
    }],
    ["GET /prompts/$PROMPT_ID"],
    ["POST /prompts/$PROMPT_ID", { code: 'def hello():\n    print("Hello")' }],
    ["PUT /prompts/$PROMPT_ID", { description: "Updated prompt description", content: "New: {{variable}}" }],
    ["POST /prompts/$PROMPT_ID/state?activate=false"],
  ],
  "LLM Settings Management": [
    ["GET /v1/llm/providers"],
    ["GET /v1/llm/models"],
    ...twice("POST /v1/admin/llm/providers/provider-123/state"),
    ...twice("POST /v1/admin/llm/providers/provider-123/health"),
    ...twice("POST /v1/admin/llm/models/model-456/state"),
    ...twice("POST /v1/admin/llm/test", { test_type: "models" }),
    ...twice("POST /v1/admin/llm/providers/provider-123/fetch-models"),
    ...twice("POST /v1/admin/llm/providers/provider-123/sync-models"),
  ],
  "Tag Management": [
    ["GET /tags?entity_types=gateways%2Cservers%2Ctools%2Cresources%2Cprompts&include_entities=false"],
    ["GET /tags/your-tag-name/entities"],
  ],
  "Bulk Operations": [
    ["GET /export"],
    ["GET /export?types=tools%2Cgateways"],
    ["POST /import", importing({})],
    [
      "POST /import",
      importing({ entities: { tools: [restTool("tool1", "POST"), restTool("tool2", "GET")] } }),
    ],
  ],
  "A2A Agent Management": [
    ["GET /a2a"],
    [`GET /a2a?cursor=${THEIR_CURSOR}`],
    ["GET /a2a?include_pagination=false"],
    ["POST /a2a", { agent: { name: "openai-assistant", agent_type: "openai" } }],
    ["GET /a2a/your-agent-id"],
    ["POST /a2a/openai-assistant/invoke", { message: "Explain quantum computing in simple terms" }],
    ["PUT /a2a/your-agent-id", { model: "gpt-4-turbo", description: "Updated to use GPT-4 Turbo" }],
    ["POST /a2a/your-agent-id/state?activate=false"],
    ["POST /a2a/your-agent-id/state?activate=true"],
  ],
  "Team Management": [
    ["POST /teams", { name: "Engineering", visibility: "private" }],
    ["POST /teams", { name: "Platform", members: [{ email: "alice@example.com", role: "owner" }] }],
    ["GET /teams"],
    ["GET /teams?skip=50&limit=50"],
    ...twice("GET /teams?include_pagination=true"),
    ["GET /teams?include_pagination=true&cursor=null"],
  ],
  "OpenAPI Specification": twice("GET /openapi.json"),
  "End-to-End Workflow Example": [
    ["GET /health"],
    ["POST /gateways", upstream("test-server", "Test MCP server")],
    ["GET /gateways"],
    ["GET /tools"],
    ["GET /tools/$TOOL_ID"],
    ["POST /rpc", call({ param1: "test_value" })],
    ["POST /servers", server("test-virtual-server", ["$TOOL_ID"])],
    ["GET /servers/$SERVER_ID/tools"],
    ["GET /export"],
  ],
  "Error Handling and Advanced Usage": [
    ...twice("GET /tools"),
    ...twice("GET /tools"),
    ...twice("GET /tools"),
    ["POST /tools/$TOOL_ID/state"],
  ],
};

export const GUIDE_REQUESTS: readonly GuideRequest[] = Object.entries(SECTIONS).flatMap(([section, lines]) =>
  lines.map(([request, body]) => {
    const [method, target] = request.split(" ");
    return { section, method, target, body };
  })
);
