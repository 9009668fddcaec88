// What OAuth clients ask the authorization server over HTTP. No cookie and no ambient credential counts here, so that web pages of every
// origin may ask; people answer on the pages below /admin.
import type { AuthorizationServer } from "../../auth/oauth/authorization_server.ts";
import { OAuthFault } from "../../auth/oauth/oauth_fault.ts";
import { OAUTH_PATHS } from "../../auth/oauth/server_metadata.ts";
import { SluiceError } from "../../base/errors.ts";
import { errorHeaders } from "../../http/error_response.ts";
import type { Endpoint, Exchange, FailedAnswer, ServedInfo } from "../../http/handler.ts";
import type { ReadBody } from "../../http/body.ts";
import { peerAddress } from "../../base/egress/trusted_proxies.ts";
import { CORRELATION_HEADER } from "../../telemetry/call_note.ts";
import { PAGES_PATH } from "../call/session_cookie.ts";
import type { PublicBase } from "../sso/public_base.ts";

export interface OAuthEndpointDeps {
  readonly server: AuthorizationServer;
  readonly base: Pick<PublicBase, "of">;
  readonly readForm: ReadBody;
  readonly readJson: ReadBody;
  /** The address of the client, also behind trusted proxies. */
  readonly clientOf: (headers: Headers, info: ServedInfo) => string;
  /** APP_ROOT_PATH, which the issuer's path may begin with. */
  readonly rootPath: string;
}

type Action = "metadata" | "keys" | "authorize" | "token" | "register" | "revoke" | "device";

const METADATA = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

/** The paths that MCP 2025-03-26 gives clients that find no metadata are there too. */
const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  [OAUTH_PATHS.keys, "keys"],
  [OAUTH_PATHS.authorize, "authorize"],
  [OAUTH_PATHS.token, "token"],
  [OAUTH_PATHS.register, "register"],
  [OAUTH_PATHS.revoke, "revoke"],
  [OAUTH_PATHS.device, "device"],
  ["/authorize", "authorize"],
  ["/token", "token"],
  ["/register", "register"],
]);

const METHODS: Readonly<Record<Action, string>> = {
  metadata: "GET",
  keys: "GET",
  authorize: "GET",
  token: "POST",
  register: "POST",
  revoke: "POST",
  device: "POST",
};

/** Metadata of clients are a few hundred characters. */
const MAX_BODY_CHARS = 20_000;

const NO_STORE = { "cache-control": "no-store" };
/** Not by proxies: the addresses in it are those that the client uses. */
const CACHED = { "cache-control": "private, max-age=300" };

export class OAuthEndpoint implements Endpoint {
  readonly name = "oauth";
  readonly speaks = "rest";
  readonly open = true;
  readonly isForAnyPage = true;
  readonly #deps: OAuthEndpointDeps;

  constructor(deps: OAuthEndpointDeps) {
    this.#deps = deps;
  }

  /** null: the path is another endpoint's, or the authorization server is off. */
  route(path: string): Endpoint | null {
    return this.#deps.server.isOn && this.#actionAt(path) !== null ? this : null;
  }

  async serve(exchange: Exchange): Promise<Response> {
    const { request, info } = exchange;
    const { server, base, clientOf } = this.#deps;
    const action = this.#actionAt(exchange.path)!;
    const { method } = request;
    if ((method === "HEAD" ? "GET" : method) !== METHODS[action]) {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: METHODS[action] });
    }
    const issuer = base.of(request, peerAddress(info));
    if (action === "metadata") return Response.json(server.metadata(issuer), { headers: CACHED });
    if (action === "keys") return Response.json(server.publicKeys(), { headers: CACHED });
    await server.deps.limits.require(
      action === "register" ? "registration" : "request",
      clientOf(request.headers, info),
    );
    switch (action) {
      case "authorize":
        return authorize(request, issuer);
      case "token":
        return await this.#token(exchange);
      case "register":
        return await this.#register(exchange);
      case "revoke":
        return await this.#revoke(exchange);
      case "device":
        return await this.#device(exchange, issuer);
    }
  }

  /** Failures in the form of RFC 6749, section 5.2. */
  failed({ reported: { error, correlationId } }: FailedAnswer): Promise<Response | null> {
    const { row, cause } = error;
    const fault = cause instanceof OAuthFault
      ? { error: cause.code, error_description: cause.message }
      : { error: codeOf(row.http), error_description: error.message };
    const status = cause instanceof OAuthFault ? cause.status : row.http;
    const challenge: Record<string, string> = status === 401
      ? { "www-authenticate": 'Basic realm="sluice"' }
      : {};
    const headers = {
      ...{ ...NO_STORE, [CORRELATION_HEADER]: correlationId },
      ...errorHeaders(error),
      ...challenge,
    };
    return Promise.resolve(Response.json(fault, { status, headers }));
  }

  /** The issuer's path follows the well-known path of RFC 8414, and comes before that of OpenID Connect. */
  #actionAt(path: string): Action | null {
    const { rootPath } = this.#deps;
    const isMetadata = METADATA.some((each) => path === each || rootPath !== "" && path === each + rootPath);
    return isMetadata ? "metadata" : ACTIONS.get(path) ?? null;
  }

  async #token(exchange: Exchange): Promise<Response> {
    const form = await this.#form(exchange);
    const { headers } = exchange.request;
    const answer = await this.#deps.server.deps.answerToken({ headers, form });
    return Response.json(answer.body, { status: answer.status, headers: answer.headers });
  }

  async #register(exchange: Exchange): Promise<Response> {
    const text = await this.#deps.readJson(exchange.request, exchange);
    let metadata: unknown;
    try {
      metadata = text.length > MAX_BODY_CHARS ? null : JSON.parse(text);
    } catch {
      metadata = null;
    }
    const client = await faultsAsErrors(() => this.#deps.server.deps.register(metadata));
    return Response.json(client, { status: 201, headers: NO_STORE });
  }

  async #revoke(exchange: Exchange): Promise<Response> {
    const form = await this.#form(exchange);
    const client = clientIn(exchange.request.headers, form);
    await faultsAsErrors(() => this.#deps.server.deps.revoke(form, client));
    return new Response(null, { status: 200, headers: NO_STORE });
  }

  async #device(exchange: Exchange, issuer: string): Promise<Response> {
    const form = await this.#form(exchange);
    const client = clientIn(exchange.request.headers, form);
    const addresses = { issuer, page: `${issuer}${PAGES_PATH}/device` };
    const begun = await faultsAsErrors(() => this.#deps.server.deps.devices.begin(form, client, addresses));
    return Response.json(begun, { headers: NO_STORE });
  }

  async #form(exchange: Exchange): Promise<URLSearchParams> {
    const text = await this.#deps.readForm(exchange.request, exchange);
    return new URLSearchParams(text.length > MAX_BODY_CHARS ? "" : text);
  }
}

/** The person goes on at the page, with a session or without. The page reads the request; nothing of it is looked at here. */
function authorize(request: Request, issuer: string): Response {
  const { searchParams } = new URL(request.url);
  return new Response(null, {
    status: 302,
    headers: { ...NO_STORE, location: `${issuer}${PAGES_PATH}/authorize?${searchParams}` },
  });
}

/** The credentials of RFC 6749, section 2.3.1. */
function clientIn(headers: Headers, form: URLSearchParams): { id: string; secret: string | null } {
  const basic = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (basic === undefined) return { id: form.get("client_id") ?? "", secret: form.get("client_secret") };
  try {
    const [id = "", secret = ""] = new TextDecoder().decode(Uint8Array.fromBase64(basic)).split(":");
    return { id, secret };
  } catch {
    return { id: "", secret: null };
  }
}

/** The edge counts and reports errors of the catalogue. */
async function faultsAsErrors<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof OAuthFault)) throw error;
    throw new SluiceError("INVALID_REQUEST", { reason: error.message }, { cause: error });
  }
}

function codeOf(status: number): string {
  if (status === 429 || status === 503) return "temporarily_unavailable";
  return status >= 500 ? "server_error" : "invalid_request";
}
