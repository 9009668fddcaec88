// GET /: what this gateway is, where its endpoints are, how to begin. A stranger may read it, so it tells nothing about what is
// registered here or who may use it.
import { VERSION } from "../../version.ts";
import { html } from "./html.ts";
import { type Page, page } from "./html_page.ts";

const ENDPOINTS = {
  admin: "/admin",
  mcp: "/mcp",
  rpc: "/rpc",
  server: "/servers/{id}/mcp",
  docs: "/docs",
  openapi: "/openapi.json",
  health: "/health",
} as const;

/** For programs. @param prefix what the addresses of this gateway begin with */
export function frontJson(prefix: string): Record<string, unknown> {
  return {
    name: "sluice",
    version: VERSION,
    endpoints: Object.fromEntries(Object.entries(ENDPOINTS).map(([name, path]) => [name, prefix + path])),
    manual: "sluice help",
  };
}

export function frontPage(prefix: string): Promise<Page> {
  const at = (path: string) => html`<code>${prefix}${path}</code>`;
  const link = (path: string) => html`<a href="${prefix}${path}">${at(path)}</a>`;
  return page(
    "Sluice",
    html`
      <main class="narrow">
        <h1>Sluice</h1>
        <p class="soft">An MCP gateway · version ${VERSION}</p>
        <p>MCP clients connect here, and reach the tools, resources and prompts of all servers behind this gateway.</p>

        <h2>Addresses</h2>
        <dl class="facts">
          <dt>${link(ENDPOINTS.admin)}</dt>
          <dd>pages for people: upstreams, tools, users</dd>
          <dt>${at(ENDPOINTS.mcp)}</dt>
          <dd>MCP over streamable HTTP</dd>
          <dt>${at(ENDPOINTS.server)}</dt>
          <dd>MCP of one virtual server</dd>
          <dt>${at(ENDPOINTS.rpc)}</dt>
          <dd>JSON-RPC without a session</dd>
          <dt>${link(ENDPOINTS.docs)}</dt>
          <dd>the REST API, described</dd>
          <dt>${link(ENDPOINTS.openapi)}</dt>
          <dd>the same as an OpenAPI document</dd>
          <dt>${link(ENDPOINTS.health)}</dt>
          <dd>whether the gateway is alive</dd>
        </dl>

        <h2>Connect a client</h2>
        <p>The command prints the client's configuration for this gateway. Without
      <code>CLIENT</code>, it lists the clients.</p>
        <pre tabindex="0"><code>sluice connect CLIENT</code></pre>

        <h2>Get a token</h2>
        <p>The operator of this gateway makes tokens, on its machine:</p>
        <pre tabindex="0"><code>sluice token --username you@example.com</code></pre>
        <p>Clients send the token in a header: <code>Authorization: Bearer TOKEN</code>.</p>

        <h2>Read the manual</h2>
        <p>The program has its manual inside.</p>
        <pre tabindex="0"><code>sluice help</code></pre>
      </main>
    `,
  );
}
