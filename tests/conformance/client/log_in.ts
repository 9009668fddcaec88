// The command that the suite's authorization scenarios start: registers the suite's server at a running gateway, which has to log in
// there, and calls its tools.
//
//   deno run -A tests/conformance/client/log_in.ts GATEWAY TOKEN URL

const [gateway, token, url] = Deno.args;
const { client_id, client_secret, private_key_pem } = JSON.parse(
  Deno.env.get("MCP_CONFORMANCE_CONTEXT") ?? "{}",
);
const name = Deno.env.get("MCP_CONFORMANCE_SCENARIO")!.replaceAll(/[^a-z]+/g, "-");

const { id } = await ask("/gateways", {
  ...{ name, url, transport: "STREAMABLEHTTP", auth_type: "oauth" },
  protocol: Deno.env.get("MCP_CONFORMANCE_PROTOCOL_VERSION") ?? "auto",
  oauth_config: {
    grant_type: "client_credentials",
    client_id,
    ...(private_key_pem === undefined ? { client_secret } : { private_key: private_key_pem }),
  },
});
const { tools } = await rpc("tools/list", {});
for (const tool of tools.filter((each: { name: string }) => each.name.startsWith(`${name}-`))) {
  await rpc("tools/call", { name: tool.name, arguments: {} });
}
await ask(`/gateways/${id}`, undefined, "DELETE");

// deno-lint-ignore no-explicit-any -- answers of several kinds
async function ask(path: string, body: unknown, method = "POST"): Promise<any> {
  const response = await fetch(gateway + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text === "" ? "null" : text);
}

// deno-lint-ignore no-explicit-any -- results of several kinds
async function rpc(method: string, params: unknown): Promise<any> {
  const { result, error } = await ask("/rpc", { jsonrpc: "2.0", id: 1, method, params });
  if (error !== undefined) throw new Error(`${method}: ${error.message}`);
  return result;
}
