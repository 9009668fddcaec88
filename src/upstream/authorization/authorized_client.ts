// Sends the requests of one upstream with its token. A request that the upstream refuses for its token is sent again with another
// one, once for each reason: the server has not executed it.
import { unlessAborted } from "../../base/cancellation.ts";
import type { Headers } from "../http1/request_head.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http_client/http_client.ts";
import type { HeaderList } from "../transport/transport.ts";
import { readChallenge } from "./bearer_challenge.ts";
import type { TokenSource, UpstreamToken } from "./token_source.ts";

export class AuthorizedClient implements HttpClient {
  readonly #client: HttpClient;
  readonly #origin: string;
  readonly #source: TokenSource;
  /** Complete lists of headers by those of a session, which the HTTP client encodes once. */
  #withToken = new WeakMap<Headers, { readonly token: UpstreamToken; readonly headers: Headers }>();

  constructor(client: HttpClient, origin: string, source: TokenSource) {
    this.#client = client;
    this.#origin = origin;
    this.#source = source;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    // Every address that a transport asks has the upstream's origin. A token must not depend on that.
    if (request.url.origin !== this.#origin) return await this.#client.send(request);
    let used = this.#source.current ?? await unlessAborted(this.#source.obtain(), request.signal);
    let response = await this.#client.send(this.#with(used, request));
    if (response.status !== 401 && response.status !== 403) return response;
    // A new token may lack a scope. Each reason has one further try.
    const tried = new Set<number>();
    while ((response.status === 401 || response.status === 403) && !tried.has(response.status)) {
      tried.add(response.status);
      const next = await this.#another(used, response);
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

  async #another(used: UpstreamToken | null, response: HttpResponse): Promise<UpstreamToken | null> {
    const challenge = readChallenge(response.header("www-authenticate"));
    try {
      if (response.status === 401) return await this.#source.afterRefusal(used, challenge);
      return used !== null && challenge.error === "insufficient_scope"
        ? await this.#source.withScope(used, challenge)
        : null;
    } catch (error) {
      response.discard();
      throw error;
    }
  }

  #with(token: UpstreamToken | null, request: HttpRequest): HttpRequest {
    const { headers } = request;
    if (token === null) return request;
    let known = this.#withToken.get(headers);
    if (known?.token !== token) {
      const others = headers.filter(([name]) => name !== "authorization");
      known = { token, headers: Object.freeze([...others, ...tokenHeaders(token)]) };
      this.#withToken.set(headers, known);
    }
    return { ...request, headers: known.headers };
  }
}

export function tokenHeaders({ accessToken }: UpstreamToken): HeaderList {
  return [["authorization", `Bearer ${accessToken}`]];
}
