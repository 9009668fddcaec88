// An MCP server whose users log in, with its authorization server at another origin. The latter knows who is at the browser by a cookie
// `person`, asks for no consent, and writes down what it was asked.
import { assertEquals } from "@std/assert";
import type { Gateway } from "./gateway.ts";
import { whoamiResult } from "./login_upstream.ts";
import { serveOnLoopback } from "./loopback_server.ts";

export interface PersonLoginOptions {
  /** Life of access tokens, s. */
  readonly expiresInS?: number;
  /** Clients that it knows: id and secret. Nobody can register then. */
  readonly clients?: Readonly<Record<string, string>>;
  /** It knows clients by their metadata documents, and registers none. */
  readonly takesDocuments?: boolean;
  /** It refuses the parameter `resource`, as Microsoft Entra does. */
  readonly refusesResource?: boolean;
  /** Refresh tokens come only with `access_type=offline`, as at Google. */
  readonly wantsAccessType?: boolean;
  /** The path of the issuer, as a tenant has it. */
  readonly tenant?: string;
  /** The scope that `whoami` wants besides. */
  readonly furtherScope?: string;
  /** It announces changes of its tools, in the stream of each session. */
  readonly announces?: boolean;
  /** Changes the metadata of the authorization server. */
  readonly serverMetadata?: (own: Record<string, unknown>) => Record<string, unknown>;
  /** Changes the parameters of the answer that the browser brings back. */
  readonly answer?: (own: URLSearchParams) => void;
  /** It opens sessions for whoever has no token, and lets them do nothing in these. */
  readonly opensForAll?: boolean;
  /** The scopes that the MCP server's metadata name; default `tools`. */
  readonly scopes?: readonly string[];
  /** Changes the answer of the token endpoint. */
  readonly given?: (own: Response, request: URLSearchParams) => Response | Promise<Response>;
  /** The authorization server that the MCP server's metadata name; default and null: its own. */
  readonly names?: () => string | null;
  /** Where the authorization endpoint sends the browser in place of its own answer. */
  readonly sendsOnTo?: (request: URLSearchParams) => string | null;
}

interface Given {
  readonly person: string;
  readonly scope: string;
  readonly client: string;
}

interface Code extends Given {
  readonly redirectUri: string;
  readonly challenge: string;
  readonly isOffline: boolean;
}

export class PersonLoginUpstream implements AsyncDisposable {
  readonly url: string;
  readonly issuer: string;
  readonly authorizations: URLSearchParams[] = [];
  readonly tokenRequests: URLSearchParams[] = [];
  readonly registrations: Record<string, unknown>[] = [];
  /** The client id that registrations get in place of a new one. */
  registersAs: string | null = null;
  readonly revoked: string[] = [];
  /** Authorization headers of MCP requests, with the session that they came in. */
  readonly mcpWith: { readonly authorization: string | null; readonly session: string | null }[] = [];
  readonly accessTokens = new Map<string, Given & { readonly expiresAt: number }>();
  readonly refreshTokens = new Map<string, Given>();
  /** Sessions, by id: whose they are. */
  readonly sessions = new Map<string, string>();
  /** Sessions of nobody: how many were opened, and those that are open. */
  readonly ofNobody = { opened: 0, open: new Set<string>() };
  /** The open streams of sessions that hear of changes, and whose they are. */
  readonly streams = new Map<ReadableStreamDefaultController<Uint8Array>, string>();
  #tools: readonly string[] = ["whoami"];
  readonly #codes = new Map<string, Code>();
  readonly #options: PersonLoginOptions;
  readonly #resource: Deno.HttpServer<Deno.NetAddr>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(options: PersonLoginOptions = {}) {
    this.#options = options;
    this.#resource = serveOnLoopback((request) => this.#serveMcp(request));
    this.#server = serveOnLoopback((request) => this.#serveLogins(request));
    this.url = `http://127.0.0.1:${this.#resource.addr.port}/mcp`;
    this.issuer = `http://127.0.0.1:${this.#server.addr.port}${options.tenant ?? ""}`;
  }

  /** How often a refresh token was sent. */
  get renewals(): number {
    return this.tokenRequests.filter((form) => form.get("grant_type") === "refresh_token").length;
  }

  /** Offers these tools in place of the former ones, and announces it. */
  offer(tools: readonly string[]): void {
    this.#tools = tools;
    const message = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
    for (const stream of this.streams.keys()) stream.enqueue(eventOf(message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endStreams(() => true);
    await Promise.all([this.#resource.shutdown(), this.#server.shutdown()]);
  }

  async #serveMcp(request: Request): Promise<Response> {
    const { origin, pathname } = new URL(request.url);
    if (pathname === "/.well-known/oauth-protected-resource/mcp") {
      const own = {
        resource: this.url,
        authorization_servers: [this.#options.names?.() ?? this.issuer],
        scopes_supported: this.#options.scopes ?? ["tools"],
      };
      return Response.json(own);
    }
    if (pathname !== "/mcp") return new Response(null, { status: 404 });
    const authorization = request.headers.get("authorization");
    const session = request.headers.get("mcp-session-id");
    this.mcpWith.push({ authorization, session });
    const token = this.accessTokens.get(authorization?.slice("Bearer ".length) ?? "");
    const { furtherScope } = this.#options;
    const refuse = (status: number, more: string) =>
      new Response(null, {
        status,
        headers: {
          "www-authenticate":
            `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"${more}`,
        },
      });
    if (authorization === null && this.#options.opensForAll) return await this.#openForAll(request, session);
    if (token === undefined || token.expiresAt < Date.now()) return refuse(401, ', error="invalid_token"');
    if (request.method === "GET" && this.#options.announces) return this.#stream(token.person);
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = await request.json();
    const opened = session ?? crypto.randomUUID();
    if (session !== null && this.sessions.get(session) !== token.person) {
      return new Response(null, { status: 404 });
    }
    if (id === undefined) return new Response(null, { status: 202 });
    if (method === "initialize") this.sessions.set(opened, token.person);
    if (
      method === "tools/call" && furtherScope !== undefined && !token.scope.split(" ").includes(furtherScope)
    ) {
      return refuse(403, `, error="insufficient_scope", scope="${furtherScope}"`);
    }
    const headers = { "mcp-session-id": opened };
    const result = this.#options.announces && method === "initialize"
      ? { ...whoamiResult(method, "") as object, capabilities: { tools: { listChanged: true } } }
      : method === "tools/list"
      ? { tools: this.#tools.map((name) => ({ name, inputSchema: { type: "object" } })) }
      : whoamiResult(method, token.person);
    return Response.json({ jsonrpc: "2.0", id, result }, { headers });
  }

  async #openForAll(request: Request, session: string | null): Promise<Response> {
    const { open } = this.ofNobody;
    if (request.method === "DELETE") {
      return new Response(null, { status: open.delete(session ?? "") ? 204 : 404 });
    }
    const { id, method } = await request.json();
    if (method !== "initialize") return new Response(null, { status: 400 });
    this.ofNobody.opened++;
    const opened = crypto.randomUUID();
    open.add(opened);
    const headers = { "mcp-session-id": opened };
    return Response.json({ jsonrpc: "2.0", id, result: whoamiResult(method, "") }, { headers });
  }

  #stream(person: string): Response {
    let own: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => void this.streams.set(own = stream, person),
      cancel: () => void this.streams.delete(own),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  #endStreams(isEnded: (person: string) => boolean): void {
    for (const [stream, person] of [...this.streams]) {
      if (!isEnded(person)) continue;
      this.streams.delete(stream);
      stream.close();
    }
  }

  async #serveLogins(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const { tenant = "", takesDocuments, clients, serverMetadata = (own) => own } = this.#options;
    const at = (path: string) => pathname === tenant + path;
    const isMetadata = tenant === ""
      ? pathname === "/.well-known/oauth-authorization-server"
      : at("/.well-known/openid-configuration");
    if (isMetadata) {
      return Response.json(serverMetadata({
        issuer: this.issuer,
        authorization_endpoint: `${this.issuer}/authorize`,
        token_endpoint: `${this.issuer}/token`,
        revocation_endpoint: `${this.issuer}/revoke`,
        ...(clients === undefined && !takesDocuments
          ? { registration_endpoint: `${this.issuer}/register` }
          : {}),
        ...(takesDocuments ? { client_id_metadata_document_supported: true } : {}),
        authorization_response_iss_parameter_supported: true,
        code_challenge_methods_supported: ["S256"],
        scopes_supported: ["tools", "offline_access"],
        token_endpoint_auth_methods_supported: ["none", "client_secret_basic", "client_secret_post"],
      }));
    }
    if (at("/register") && clients === undefined) {
      const metadata = await request.json();
      this.registrations.push(metadata);
      const client_id = this.registersAs ?? `registered-${this.registrations.length}`;
      return Response.json({ ...metadata, client_id }, { status: 201 });
    }
    if (at("/authorize")) {
      if (takesDocuments) {
        const id = searchParams.get("client_id")!;
        const document = await (await fetch(id)).json();
        const isRight = document.client_id === id &&
          document.redirect_uris.includes(searchParams.get("redirect_uri"));
        if (!isRight) return new Response("the document is of another client", { status: 400 });
      }
      const [, number] = /^registered-(\d+)$/.exec(searchParams.get("client_id") ?? "") ?? [];
      const uris = this.registrations[Number(number) - 1]?.redirect_uris;
      if (Array.isArray(uris) && !uris.includes(searchParams.get("redirect_uri"))) {
        return new Response("the client is registered with another redirect URI", { status: 400 });
      }
      return this.#authorize(searchParams, request.headers.get("cookie"));
    }
    if (at("/token")) {
      const form = new URLSearchParams(await request.text());
      const { given = (own) => own } = this.#options;
      return await given(await this.#token(form), form);
    }
    if (at("/revoke")) {
      const token = new URLSearchParams(await request.text()).get("token")!;
      this.revoked.push(token);
      // What it has given goes with it (RFC 7009, section 2.1).
      const { person } = this.refreshTokens.get(token) ?? {};
      this.refreshTokens.delete(token);
      this.#endStreams((each) => each === person);
      return new Response(null);
    }
    return new Response(null, { status: 404 });
  }

  #authorize(request: URLSearchParams, cookie: string | null): Response {
    this.authorizations.push(request);
    const { refusesResource, wantsAccessType, answer = () => {}, sendsOnTo = () => null } = this.#options;
    const elsewhere = sendsOnTo(request);
    if (elsewhere !== null) return new Response(null, { status: 302, headers: { location: elsewhere } });
    const redirectUri = request.get("redirect_uri")!;
    const back = new URLSearchParams({ state: request.get("state")!, iss: this.issuer });
    if (refusesResource && request.has("resource")) back.set("error", "invalid_target");
    else {
      const code = `code-${crypto.randomUUID()}`;
      this.#codes.set(code, {
        person: /person=([^;]+)/.exec(cookie ?? "")?.[1] ?? "nobody",
        ...{ scope: request.get("scope") ?? "", client: request.get("client_id")!, redirectUri },
        challenge: request.get("code_challenge")!,
        isOffline: !wantsAccessType || request.get("access_type") === "offline",
      });
      back.set("code", code);
    }
    answer(back);
    return new Response(null, { status: 302, headers: { location: `${redirectUri}?${back}` } });
  }

  async #token(form: URLSearchParams): Promise<Response> {
    this.tokenRequests.push(form);
    const refuse = (error: string) => Response.json({ error }, { status: 400 });
    if (this.#options.refusesResource && form.has("resource")) return refuse("invalid_target");
    if (form.get("grant_type") === "refresh_token") {
      const former = form.get("refresh_token")!;
      const given = this.refreshTokens.get(former);
      if (given === undefined) return refuse("invalid_grant");
      // Rotated: a token that comes twice is refused.
      this.refreshTokens.delete(former);
      return this.#give(given, true);
    }
    const code = this.#codes.get(form.get("code") ?? "");
    this.#codes.delete(form.get("code") ?? "");
    const digest = await crypto.subtle.digest(
      "SHA-256",
      new TextEncoder().encode(form.get("code_verifier") ?? ""),
    );
    const challenge = new Uint8Array(digest).toBase64({ alphabet: "base64url", omitPadding: true });
    if (code === undefined || code.redirectUri !== form.get("redirect_uri") || code.challenge !== challenge) {
      return refuse("invalid_grant");
    }
    return this.#give(code, code.isOffline);
  }

  #give({ person, scope, client }: Given, isOffline: boolean): Response {
    const { expiresInS = 600 } = this.#options;
    const access_token = `access-${person}-${crypto.randomUUID()}`;
    this.accessTokens.set(access_token, { person, scope, client, expiresAt: Date.now() + expiresInS * 1000 });
    const answer = { access_token, token_type: "Bearer", expires_in: expiresInS, scope };
    if (!isOffline) return Response.json(answer);
    const refresh_token = `refresh-${person}-${crypto.randomUUID()}`;
    this.refreshTokens.set(refresh_token, { person, scope, client });
    return Response.json({ ...answer, refresh_token });
  }
}

function eventOf(message: unknown): Uint8Array {
  return new TextEncoder().encode(`data: ${JSON.stringify(message)}\n\n`);
}

/** Registers an upstream where people log in. @param config further fields of `oauth_config` */
export async function register(
  gateway: Gateway,
  name: string,
  url: string,
  config: Record<string, unknown> = {},
): Promise<{ readonly id: string }> {
  const { status, body } = await gateway.api("POST", "/gateways", {
    ...{ name, url, transport: "STREAMABLEHTTP", auth_type: "oauth" },
    oauth_config: { grant_type: "authorization_code", ...config },
  });
  assertEquals(status, 200, JSON.stringify(body));
  return body;
}

/** One call without a session, which any worker serves. @returns the upstream's name for the person, or the error */
export async function whoami(gateway: Gateway, name: string, token: string): Promise<string> {
  const { body } = await gateway.rpc("tools/call", { name: `${name}-whoami`, arguments: {} }, token);
  return body.error?.message ?? body.result.content[0].text;
}
