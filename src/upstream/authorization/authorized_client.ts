// Sends the requests of one upstream with its token. A request that the upstream refuses for its token is sent again with another
// one, once for each reason: the server has not executed it.
import { unlessAborted } from "../../base/cancellation.ts";
import type { Headers } from "../http1/request_head.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http_client/http_client.ts";
import type { HeaderList } from "../transport/transport.ts";
import { readChallenge } from "./bearer_challenge.ts";
import type { TokenSource } from "./source/token_source.ts";
import type { UpstreamToken } from "./upstream_token.ts";

/**
 * The name of the header that says whose token a request wants. It is no name that HTTP allows, so that no client can send it. It pins
 * sessions as all passed headers do, and never leaves the gateway.
 */
export const OWNER_HEADER = ":token-owner";

/** The source of the token for a request. @param owner as OWNER_HEADER has it; null: the request has none */
export type SourceOf = (owner: string | null) => TokenSource | Promise<TokenSource>;

export class AuthorizedClient implements HttpClient {
  readonly #client: HttpClient;
  readonly #origin: string;
  readonly #sourceOf: SourceOf;
  /** Complete lists of headers by those of a session, which the HTTP client encodes once. */
  #withToken = new WeakMap<Headers, { readonly token: UpstreamToken; readonly headers: Headers }>();

  /** @throws {SluiceError} of `send`: what `sourceOf` throws, UPSTREAM_LOGIN_FAILED, UPSTREAM_LOGIN_NEEDED, UPSTREAM_TOKEN_NEEDED */
  constructor(client: HttpClient, origin: string, sourceOf: SourceOf) {
    this.#client = client;
    this.#origin = origin;
    this.#sourceOf = sourceOf;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    // Every address that a transport asks has the upstream's origin. A token must not depend on that.
    if (request.url.origin !== this.#origin) return await this.#client.send(this.#with(null, request));
    const found = this.#sourceOf(ownerIn(request.headers));
    const source = found instanceof Promise ? await unlessAborted(found, request.signal) : found;
    let used = source.current ?? await unlessAborted(source.obtain(), request.signal);
    let response = await this.#client.send(this.#with(used, request));
    if (response.status !== 401 && response.status !== 403) return response;
    // A new token may lack a scope. Each reason has one further try.
    const tried = new Set<number>();
    while ((response.status === 401 || response.status === 403) && !tried.has(response.status)) {
      tried.add(response.status);
      const next = await another(source, used, response);
      if (next === null) break;
      response.discard();
      used = next;
      response = await this.#client.send(this.#with(used, request));
    }
    return response;
  }

  close(): void {
    this.#client.close();
  }

  #with(token: UpstreamToken | null, request: HttpRequest): HttpRequest {
    const { headers } = request;
    if (token === null) {
      const isOwned = ownerIn(headers) !== null;
      return isOwned ? { ...request, headers: headers.filter(([name]) => name !== OWNER_HEADER) } : request;
    }
    let known = this.#withToken.get(headers);
    if (known?.token !== token) {
      const others = headers.filter(([name]) => name !== "authorization" && name !== OWNER_HEADER);
      known = { token, headers: Object.freeze([...others, ...tokenHeaders(token)]) };
      this.#withToken.set(headers, known);
    }
    return { ...request, headers: known.headers };
  }
}

export function tokenHeaders({ accessToken }: UpstreamToken): HeaderList {
  return [["authorization", `Bearer ${accessToken}`]];
}

async function another(
  source: TokenSource,
  used: UpstreamToken | null,
  response: HttpResponse,
): Promise<UpstreamToken | null> {
  const challenge = readChallenge(response.header("www-authenticate"));
  try {
    if (response.status === 401) return await source.afterRefusal(used, challenge);
    return used !== null && challenge.error === "insufficient_scope"
      ? await source.withScope(used, challenge)
      : null;
  } catch (error) {
    response.discard();
    throw error;
  }
}

function ownerIn(headers: Headers): string | null {
  for (const header of headers) if (header[0] === OWNER_HEADER) return header[1];
  return null;
}
