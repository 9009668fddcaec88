// An MCP server that wants OAuth, and its authorization server at another origin. Both write down what they were asked.
import { serveOnLoopback } from "./loopback_server.ts";

export interface LoginUpstreamOptions {
  /** Another authorization server, and what it says of a token: scope and resource; null: it does not know the token. */
  readonly authorizationServer?: {
    readonly issuer: string;
    readonly ask: (token: string) => Promise<{ readonly scope: string; readonly resource: string } | null>;
  };
  /** Life of the tokens, s. */
  readonly expiresInS?: number;
  /** The scope of a token that `whoami` wants besides `tools`. */
  readonly furtherScope?: string;
  /** Changes the metadata of the resource. */
  readonly resourceMetadata?: (own: Record<string, unknown>) => unknown;
  /** Changes the metadata of the authorization server. */
  readonly serverMetadata?: (own: Record<string, unknown>) => unknown;
  /** Answers the token request; null: as usual. */
  readonly token?: (form: URLSearchParams) => Promise<Response> | Response | null;
  /** The value of `resource_metadata` in the challenge; null: the challenge has none. */
  readonly challenge?: string | null;
}

interface Token {
  readonly scope: string;
  readonly resource: string;
  readonly expiresAt: number;
}

export class LoginUpstream implements AsyncDisposable {
  readonly url: string;
  readonly issuer: string;
  /** The forms of the token requests, and how the client proved who it is. */
  readonly tokenRequests: { readonly form: URLSearchParams; readonly authorization: string | null }[] = [];
  /** The Authorization headers of the calls of tools. */
  readonly callsWith: (string | null)[] = [];
  /** The Authorization headers of all MCP requests. */
  readonly mcpWith: (string | null)[] = [];
  /** The tokens that were revoked, and how the client proved who it is. */
  readonly revoked: { readonly token: string | null; readonly authorization: string | null }[] = [];
  /** Everything that was asked of the authorization server besides tokens: paths. */
  readonly asked: string[] = [];
  readonly tokens = new Map<string, Token>();
  readonly #options: LoginUpstreamOptions;
  readonly #resource: Deno.HttpServer<Deno.NetAddr>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(options: LoginUpstreamOptions = {}) {
    this.#options = options;
    this.#resource = serveOnLoopback((request) => this.#serveMcp(request));
    this.#server = serveOnLoopback((request) => this.#serveTokens(request));
    this.url = `http://127.0.0.1:${this.#resource.addr.port}/mcp`;
    this.issuer = options.authorizationServer?.issuer ?? `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Refuses the tokens that were given so far. */
  forgetTokens(): void {
    this.tokens.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#resource.shutdown(), this.#server.shutdown()]);
  }

  async #serveMcp(request: Request): Promise<Response> {
    const { origin, pathname } = new URL(request.url);
    const { resourceMetadata = (own) => own, furtherScope } = this.#options;
    if (pathname === "/.well-known/oauth-protected-resource/mcp") {
      const own = { resource: this.url, authorization_servers: [this.issuer], scopes_supported: ["tools"] };
      return Response.json(resourceMetadata(own));
    }
    if (pathname !== "/mcp") return new Response(null, { status: 404 });
    const header = request.headers.get("authorization");
    this.mcpWith.push(header);
    const given = header?.slice("Bearer ".length) ?? "";
    const other = given === "" ? null : await this.#options.authorizationServer?.ask(given) ?? null;
    const token = other === null ? this.tokens.get(given) : { ...other, expiresAt: Infinity };
    const { challenge = `${origin}/.well-known/oauth-protected-resource/mcp` } = this.#options;
    const named = challenge === null ? "" : ` resource_metadata="${challenge}"`;
    const refuse = (status: number, more: string) =>
      new Response(`no: ${header}`, {
        status,
        headers: { "www-authenticate": `Bearer realm="x",${named}${more}` },
      });
    if (token === undefined || token.expiresAt < Date.now() || token.resource !== this.url) {
      return refuse(401, header === null ? "" : ', error="invalid_token"');
    }
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === "tools/call") {
      this.callsWith.push(header);
      if (furtherScope !== undefined && !token.scope.split(" ").includes(furtherScope)) {
        return refuse(403, `, error="insufficient_scope", scope="tools ${furtherScope}"`);
      }
    }
    return Response.json({ jsonrpc: "2.0", id, result: whoamiResult(method, token.scope) });
  }

  async #serveTokens(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const { serverMetadata = (own) => own, token: answer, expiresInS = 600 } = this.#options;
    if (pathname !== "/token") this.asked.push(pathname);
    if (pathname === "/.well-known/oauth-authorization-server") {
      return Response.json(serverMetadata({
        issuer: this.issuer,
        token_endpoint: `${this.issuer}/token`,
        token_endpoint_auth_methods_supported: ["client_secret_basic", "private_key_jwt"],
      }));
    }
    if (pathname === "/revoke") {
      const token = new URLSearchParams(await request.text()).get("token");
      this.revoked.push({ token, authorization: request.headers.get("authorization") });
      return new Response(null);
    }
    if (pathname !== "/token" || request.method !== "POST") return new Response(null, { status: 404 });
    const form = new URLSearchParams(await request.text());
    this.tokenRequests.push({ form, authorization: request.headers.get("authorization") });
    const other = answer?.(form) ?? null;
    if (other !== null) return await other;
    const access_token = `token-${crypto.randomUUID()}`;
    const scope = form.get("scope") ?? "";
    const resource = form.get("resource") ?? "";
    this.tokens.set(access_token, { scope, resource, expiresAt: Date.now() + expiresInS * 1000 });
    return Response.json({ access_token, token_type: "Bearer", expires_in: expiresInS, scope });
  }
}

/** The result of a server with the tool `whoami`. @param who what the tool answers */
export function whoamiResult(method: string, who: string): unknown {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "login", version: "1" },
      };
    case "tools/list":
      return { tools: [{ name: "whoami", inputSchema: { type: "object" } }] };
    case "tools/call":
      return { content: [{ type: "text", text: who }] };
    default:
      return {};
  }
}
