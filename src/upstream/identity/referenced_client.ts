// Sends the requests of an upstream whose credentials are references: with the secrets as they are now, and once again if the upstream
// refuses them and they have changed.
import type { Headers } from "../http1/request_head.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http_client/http_client.ts";
import type { CurrentSecrets } from "./named_secrets.ts";

/** The credentials as requests carry them. */
export interface Carried {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly query: readonly (readonly [name: string, value: string])[];
}

export interface ReferencedClientOptions<T> {
  readonly source: CurrentSecrets<T>;
  readonly origin: string;
  /** The credentials as written, which the requests of transports have. */
  readonly written: Carried;
  readonly carriedOf: (value: T) => Carried;
  /** The client with the certificate and the keys of these credentials. */
  readonly clientOf: (value: T) => HttpClient;
  /** Whether an answer refuses the credentials. */
  readonly isRefusal: (status: number) => boolean;
}

interface Filled {
  readonly headers: WeakMap<Headers, Headers>;
  readonly urls: WeakMap<URL, URL>;
  readonly carried: Carried;
  readonly client: HttpClient;
}

export class ReferencedClient<T extends object> implements HttpClient {
  readonly #options: ReferencedClientOptions<T>;
  readonly #filled = new WeakMap<T, Filled>();

  constructor(options: ReferencedClientOptions<T>) {
    this.#options = options;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const { source, origin, isRefusal } = this.#options;
    const used = await source.current();
    if (request.url.origin !== origin) return await this.#of(used).client.send(request);
    const response = await this.#send(used, request);
    if (!isRefusal(response.status)) return response;
    let next: T | null;
    try {
      next = await source.afterRefusal(used);
    } catch (error) {
      response.discard();
      throw error;
    }
    if (next === null) return response;
    response.discard();
    return await this.#send(next, request);
  }

  /** The client below belongs to others. */
  close(): void {}

  #send(value: T, request: HttpRequest): Promise<HttpResponse> {
    const filled = this.#of(value);
    const { written } = this.#options;
    const headers = remembered(
      filled.headers,
      request.headers,
      (own) => withHeaders(own, written, filled.carried),
    );
    const url = remembered(filled.urls, request.url, (own) => withQuery(own, written, filled.carried));
    return filled.client.send({ ...request, headers, url });
  }

  #of(value: T): Filled {
    const { carriedOf, clientOf } = this.#options;
    return remembered(this.#filled, value, () => ({
      headers: new WeakMap(),
      urls: new WeakMap(),
      carried: carriedOf(value),
      client: clientOf(value),
    }));
  }
}

function remembered<K extends object, V>(map: WeakMap<K, V>, key: K, make: (key: K) => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make(key));
  return value;
}

/** Headers that a caller brings in place of the gateway's stay. */
function withHeaders(headers: Headers, written: Carried, carried: Carried): Headers {
  const values = new Map(
    written.headers.map(([name, value], i) => [`${name}\n${value}`, carried.headers[i]!]),
  );
  return Object.freeze(
    headers.map(([name, value]) => values.get(`${name}\n${value}`) ?? [name, value] as const),
  );
}

function withQuery(url: URL, written: Carried, carried: Carried): URL {
  const filled = new URL(url);
  for (const [i, [name, value]] of written.query.entries()) {
    if (filled.searchParams.get(name) === value) filled.searchParams.set(name, carried.query[i]![1]);
  }
  return filled;
}
