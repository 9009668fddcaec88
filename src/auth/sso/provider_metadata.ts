// The metadata of an identity provider (OpenID Connect Discovery 1.0, section 4), and the words for its faults.
import type * as OAuth from "oauth4webapi";
import type { Clock } from "../../base/clock.ts";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import type { SsoProvider } from "../../config/sso_providers.ts";

export interface ProviderMetadataDeps {
  readonly provider: SsoProvider;
  readonly fetch: (
    url: string,
    init: OAuth.CustomFetchOptions<"GET", undefined>,
  ) => Promise<Response>;
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly graceMs: number;
}

/** Shortest time between two reads, so that people who try again do not flood a provider that fails. */
const MIN_INTERVAL_MS = 5_000;

export class ProviderMetadata {
  readonly #deps: ProviderMetadataDeps;
  #kept: { readonly as: OAuth.AuthorizationServer; readonly readAt: number } | null = null;
  #failed: { readonly error: unknown; readonly at: number } | null = null;
  #reading: Promise<OAuth.AuthorizationServer> | null = null;

  constructor(deps: ProviderMetadataDeps) {
    this.#deps = deps;
  }

  /** Several callers share one read. @throws {SluiceError} SSO_PROVIDER_FAILED */
  async read(): Promise<OAuth.AuthorizationServer> {
    const { clock, ttlMs, graceMs, provider } = this.#deps;
    const ageMs = this.#kept === null ? Infinity : clock.now() - this.#kept.readAt;
    if (ageMs < ttlMs) return this.#kept!.as;
    try {
      if (this.#failed !== null && clock.now() - this.#failed.at < MIN_INTERVAL_MS) throw this.#failed.error;
      this.#reading ??= this.#read().finally(() => this.#reading = null);
      return await this.#reading;
    } catch (error) {
      if (ageMs < ttlMs + graceMs) return this.#kept!.as;
      throw asFailure(provider, error);
    }
  }

  async #read(): Promise<OAuth.AuthorizationServer> {
    const { clock, provider, fetch } = this.#deps;
    try {
      const as = await discover(provider, fetch);
      this.#kept = { as, readAt: clock.now() };
      this.#failed = null;
      return as;
    } catch (error) {
      this.#failed = { error, at: clock.now() };
      throw error;
    }
  }
}

/** The endpoints that a sign-in cannot do without. */
const NEEDED = ["authorization_endpoint", "token_endpoint", "jwks_uri"] as const;

/** The addresses that the gateway calls, or sends people to. */
const ADDRESSES = [...NEEDED, "userinfo_endpoint", "end_session_endpoint"] as const;

async function discover(
  provider: SsoProvider,
  fetch: ProviderMetadataDeps["fetch"],
): Promise<OAuth.AuthorizationServer> {
  const { issuer, endpoints, algorithms, allow_http } = provider;
  const given = Object.fromEntries(Object.entries(endpoints).filter(([, value]) => value !== undefined));
  const { discoveryRequest, processDiscoveryResponse, customFetch, allowInsecureRequests } = await import(
    "oauth4webapi"
  );
  const url = new URL(issuer);
  const isGiven = NEEDED.every((name) => endpoints[name] !== undefined);
  const found = isGiven ? { issuer } : await processDiscoveryResponse(
    url,
    await discoveryRequest(url, { [customFetch]: fetch, [allowInsecureRequests]: true }),
  );
  const as: OAuth.AuthorizationServer = { ...found, ...given };
  for (const name of NEEDED) if (as[name] === undefined) throw new Error(`its metadata have no ${name}`);
  for (const name of ADDRESSES) {
    const address = as[name];
    if (address === undefined) continue;
    const protocol = URL.parse(String(address))?.protocol;
    if (protocol === "https:" || (allow_http && protocol === "http:")) continue;
    throw new Error(`its metadata name a ${name} without https`);
  }
  // Which of them count is the gateway's to say, so that no provider can bring "none" or HS256 in.
  return { ...as, id_token_signing_alg_values_supported: [...algorithms] };
}

/** A failure of the provider. The cause, which can name internal addresses, is for the log alone. */
export function failed(
  { display_name }: Pick<SsoProvider, "display_name">,
  reason: string,
  cause?: unknown,
): SluiceError {
  return new SluiceError("SSO_PROVIDER_FAILED", { provider: display_name, reason }, { cause });
}

/** @throws {SluiceError} SSO_PROVIDER_FAILED if the provider itself has failed */
export function saidByProvider(provider: SsoProvider, status: number): void {
  if (status >= 500 || status < 200 || (status >= 300 && status < 400) || status === 204 || status === 205) {
    throw failed(provider, `it answered HTTP ${status}`);
  }
}

/** Runs a part of the flow. Faults that the library finds become the provider's, in words for the person and the operator. */
export async function usedAs<T>(provider: SsoProvider, run: () => Promise<T>): Promise<T> {
  const { AuthorizationResponseError, ResponseBodyError } = await import("oauth4webapi");
  try {
    return await run();
  } catch (error) {
    const { display_name } = provider;
    if (error instanceof AuthorizationResponseError) {
      throw isRefusal(error.error)
        ? new SluiceError("SSO_REFUSED", {
          provider: display_name,
          reason: "it did not let you in, or you broke off. Start again, or ask who manages accounts there",
        }, { cause: saidIn(error) })
        : failed(provider, `it answered with the error ${codeOf(error.error)}`, saidIn(error));
    }
    if (error instanceof ResponseBodyError) throw failed(provider, wordsOf(error.error), saidIn(error));
    throw asFailure(provider, error);
  }
}

/** Errors that are the person's or the provider's decision (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6). */
function isRefusal(code: string): boolean {
  return ["access_denied", "login_required", "consent_required", "interaction_required"].includes(code);
}

/** The errors of a token endpoint (RFC 6749, section 5.2). */
function wordsOf(code: string): string {
  switch (code) {
    case "invalid_client":
    case "unauthorized_client":
      return "it does not accept the gateway's client_id, client_secret, or the way the secret is sent (client_auth)";
    case "invalid_grant":
      return "it does not accept the code: it was used before, has expired, or belongs to another sign-in. Start again";
    default:
      return `it answered with the error ${codeOf(code)}`;
  }
}

/** An error code as the specifications spell it, and nothing else that somebody could have written into an address. */
function codeOf(code: string): string {
  return /^[\w.-]{1,60}$/.test(code) ? code : "of another kind";
}

/** The provider's own words, for the log. The library's errors carry whole answers, with tokens. */
function saidIn({ error, error_description = "" }: { error: string; error_description?: string }): Error {
  const words = error_description.slice(0, 200).replaceAll(/\p{Cc}/gu, " ");
  return new Error(`the provider answered ${codeOf(error)}: ${words}`);
}

function asFailure(provider: SsoProvider, error: unknown): SluiceError {
  if (error instanceof SluiceError && error.code === "SSO_PROVIDER_FAILED") return error;
  if (isError(error, "TOKEN_KEYS_UNAVAILABLE")) return failed(provider, "its keys cannot be read", error);
  if (error instanceof SluiceError) return failed(provider, "the gateway cannot reach it", error);
  return failed(provider, reasonOf(error));
}
