// HTTP requests of a bridge to its gateway. A request that was not sent is sent again while the gateway restarts; the token is read
// again when the gateway refuses it.
import { type Clock, sleep } from "../../base/clock.ts";
import { connectRefusal, isUnsent, type Refusal, refusalIn } from "./gateway_fault.ts";

export interface GatewayLinkOptions {
  /** The MCP endpoint. */
  readonly url: URL;
  /** Reads the token; null: there is none. */
  readonly readToken: () => string | null;
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
}

export interface LinkRequest {
  readonly method: "POST" | "GET" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/** How long a restart of the gateway may take until requests fail at once. */
export const RESTART_MS = 20_000;

/** Pause before a request is sent again. */
export const AGAIN_MS = 500;

/**
 * `fetch` over a connection of its own for each request. Over a connection that was used before, Deno sends a request a second time if
 * the server closes it before the response, although the server may have begun with the first.
 */
function fetchOnce(): typeof fetch {
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0, http2: false });
  return (input, init) => fetch(input, { ...init, client });
}

export class GatewayLink {
  readonly origin: string;
  readonly #options: GatewayLinkOptions;
  readonly #fetch: typeof fetch;
  #token: string | null;
  /** Has the gateway ever answered? Before that, a wrong address is told at once. */
  #wasReached = false;
  /** Since when the gateway has not been reached; null: it has. */
  #awaySince: number | null = null;

  /** @throws what `readToken` throws */
  constructor(options: GatewayLinkOptions) {
    this.#options = options;
    this.origin = options.url.origin;
    this.#fetch = options.fetch ?? fetchOnce();
    this.#token = options.readToken();
  }

  get hasToken(): boolean {
    return this.#token !== null;
  }

  /** @returns a successful response. @throws {Refusal}, or the signal's reason */
  async send(request: LinkRequest): Promise<Response> {
    for (;;) {
      const again = await this.#try(request);
      if (again instanceof Response) return again;
      request.signal?.throwIfAborted();
      if (again.refusal !== null) {
        if (!this.#mayComeBack()) throw again.refusal;
        await sleep(this.#options.clock, AGAIN_MS, request.signal);
      }
    }
  }

  /** @returns the response; or, to try again, the refusal to throw if the gateway stays away, null: at once. @throws {Refusal} */
  async #try(
    { method, headers, body, signal }: LinkRequest,
  ): Promise<Response | { refusal: Refusal | null }> {
    const token = this.#token;
    let response: Response;
    try {
      response = await this.#fetch(this.#options.url, {
        method,
        headers: token === null ? { ...headers } : { ...headers, authorization: `Bearer ${token}` },
        body,
        signal,
      });
    } catch (error) {
      signal?.throwIfAborted();
      const refusal = connectRefusal(error, this.origin);
      if (isUnsent(error)) return { refusal };
      throw refusal;
    }
    if (response.ok) {
      this.#reached();
      return response;
    }
    const refusal = await refusalIn(response, this.origin);
    // The gateway has not begun with it.
    if (refusal.code === "SHUTTING_DOWN") return { refusal };
    this.#reached();
    if (refusal.status === 401 && this.#readTokenAgain(token)) return { refusal: null };
    throw refusal;
  }

  #reached(): void {
    this.#wasReached = true;
    this.#awaySince = null;
  }

  #mayComeBack(): boolean {
    if (!this.#wasReached) return false;
    const now = this.#options.clock.now();
    this.#awaySince ??= now;
    return now - this.#awaySince < RESTART_MS;
  }

  /** @param refused the token that was sent. @returns whether there is another one now */
  #readTokenAgain(refused: string | null): boolean {
    try {
      this.#token = this.#options.readToken();
    } catch {
      // The file is being replaced, or gone: the gateway's refusal says enough.
      return false;
    }
    return this.#token !== refused;
  }
}
