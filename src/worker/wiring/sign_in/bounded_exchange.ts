// One request to an identity provider, or an authorization server of an upstream, within limits of time and size. The egress check and
// the address check of the connection hold as for upstreams. Redirects are not followed.
import { Cancellation, unlessAborted } from "../../../base/cancellation.ts";
import type { Clock } from "../../../base/clock.ts";
import { isError } from "../../../base/errors.ts";
import type { HttpClient } from "../../../upstream/http_client/http_client.ts";

export interface ProviderRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** PEM certificates of authorities besides the system's. */
  readonly caCertificate?: string;
  /** The text of the answer is not read. */
  readonly isHeadOnly?: boolean;
}

export interface ProviderAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly text: string;
  /** The value of WWW-Authenticate. */
  readonly challenge: string | null;
  /** The value of Mcp-Session-Id. */
  readonly sessionId: string | null;
}

export interface ExchangeDeps {
  readonly outbound: { readonly client: HttpClient; readonly check: (url: URL) => Promise<void> };
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The name of the setting of `timeoutMs`, for the error's text. */
  readonly setting: string;
}

/** Providers answer with 1 to 20 KiB. */
const MAX_BYTES = 256 * 1024;

/** @throws {Error} with the reason */
export async function boundedExchange(
  { method, url, headers, body, caCertificate, isHeadOnly = false }: ProviderRequest,
  { outbound, clock, timeoutMs, setting }: ExchangeDeps,
): Promise<ProviderAnswer> {
  const signal = new Cancellation();
  const timer = clock.setTimeout(
    () => signal.cancel(new Error(`no answer within ${timeoutMs} ms (${setting})`)),
    timeoutMs,
  );
  const exchange = async () => {
    await outbound.check(url);
    const response = await outbound.client.send({
      ...{ method, url, headers, body, caCertificate, signal },
      upstream: url.host,
      // A code or refresh token that is sent again may end the login.
      fresh: method === "POST",
    });
    if (isHeadOnly) response.discard();
    return {
      status: response.status,
      contentType: response.header("content-type"),
      challenge: response.header("www-authenticate"),
      sessionId: response.header("mcp-session-id"),
      text: isHeadOnly ? "" : await response.text(MAX_BYTES).catch(asTooLarge),
    };
  };
  try {
    return await unlessAborted(exchange(), signal);
  } finally {
    clock.clearTimeout(timer);
  }
}

/** The catalogue's text names a setting that has no effect here. */
function asTooLarge(error: unknown): never {
  if (!isError(error, "UPSTREAM_RESPONSE_TOO_LARGE")) throw error;
  throw new Error(`the answer is larger than ${MAX_BYTES} bytes`, { cause: error });
}
