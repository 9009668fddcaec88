// An MCP server that asks its authorization server about each token: for whom it is, for which resource, and until when. It refuses
// all others, answers who called, and writes down what a gateway must never send.
import { whoamiResult } from "./login_upstream.ts";
import { serveOnLoopback } from "./loopback_server.ts";
import type { OidcProvider, TokenFacts } from "./oidc_provider.ts";

export class OwnedTokensUpstream implements AsyncDisposable {
  readonly url: string;
  /** Requests that a gateway must not send, in words. */
  readonly faults: string[] = [];
  /** Tokens that ended on their way here. */
  endedOnTheWay = 0;
  readonly #provider: OidcProvider;
  readonly #known = new Map<string, Promise<TokenFacts | null>>();
  /** Sessions, by id: whose they are. */
  readonly #sessions = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(provider: OidcProvider) {
    this.#provider = provider;
    this.#server = serveOnLoopback((request) => this.#serve(request));
    this.url = `http://127.0.0.1:${this.#server.addr.port}/mcp`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const { origin, pathname } = new URL(request.url);
    const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
    if (request.url === metadata) {
      return Response.json({
        ...{
          resource: this.url,
          authorization_servers: [this.#provider.issuer],
          scopes_supported: ["tools"],
        },
      });
    }
    if (pathname !== "/mcp") return new Response(null, { status: 404 });
    const refuse = (more = "") =>
      new Response(null, {
        status: 401,
        headers: { "www-authenticate": `Bearer resource_metadata="${metadata}"${more}` },
      });
    const token = request.headers.get("authorization")?.slice("Bearer ".length);
    if (token === undefined) return refuse();
    let facts = this.#known.get(token);
    if (facts === undefined) this.#known.set(token, facts = this.#provider.token(token));
    const found = await facts;
    if (found === null || found.resource !== this.url) {
      this.faults.push(found === null ? "an unknown token" : `a token for ${found.resource}`);
      return refuse(', error="invalid_token"');
    }
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (found.exp * 1000 <= Date.now()) {
      // The caller has begun the call after the token's end, or the token ended between gateway and upstream.
      if (found.exp * 1000 <= params?.arguments?.began) this.faults.push("an expired token");
      else this.endedOnTheWay++;
      return refuse(', error="invalid_token"');
    }
    const sent = request.headers.get("mcp-session-id");
    const session = sent ?? crypto.randomUUID();
    if (method === "initialize") this.#sessions.set(session, found.person);
    else if (sent !== null && this.#sessions.get(sent) !== found.person) {
      this.faults.push(`a token of ${found.person} in a session of ${this.#sessions.get(sent)}`);
    }
    if (id === undefined) return new Response(null, { status: 202 });
    return Response.json({ jsonrpc: "2.0", id, result: whoamiResult(method, found.person) }, {
      headers: { "mcp-session-id": session },
    });
  }
}
