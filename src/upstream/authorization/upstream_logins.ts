// The logins of a worker at upstreams that want OAuth.
import type { Clock } from "../../base/clock.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { operatorText } from "../../base/seen_answer.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { UpstreamTokens } from "../../store/upstream_tokens/upstream_tokens.ts";
import type { Log } from "../../telemetry/log.ts";
import type { HttpClient } from "../http_client/http_client.ts";
import type { HeaderList } from "../transport/transport.ts";
import { AuthorizedClient, tokenHeaders } from "./authorized_client.ts";
import type { SendToServer } from "./login_exchange.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import { type TokenOutcome, TokenSource } from "./token_source.ts";

/** What transports need to know of a login. */
export interface Authorization {
  /** The client that sends requests with the token. */
  over(client: HttpClient): HttpClient;
  /** The headers that requests have besides their own. Upstreams may repeat them in their answers. */
  readonly secrets: HeaderList;
}

export interface UpstreamLoginsDeps {
  readonly send: SendToServer;
  /** null: in memory alone. */
  readonly records: UpstreamTokens | null;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly log: Log;
  readonly count: (upstream: string, outcome: TokenOutcome) => void;
  /** UPSTREAM_OAUTH_TIMEOUT */
  readonly timeoutMs: number;
}

/** An upstream that wants a login. */
export interface LoginTarget {
  readonly upstream: string;
  readonly url: URL;
  readonly caCertificate: string | undefined;
  readonly credentials: OAuthCredentials;
  /** The credentials as they are now, if they have references to secrets. */
  readonly read?: () => Promise<OAuthCredentials>;
}

/** Whose token it is: everybody's. */
const SHARED = "";

const MAX_UPSTREAMS = 1_000;

export class UpstreamLogins {
  readonly #deps: UpstreamLoginsDeps;
  readonly #byGateway = new BoundedMap<string, { readonly version: string; readonly source: TokenSource }>({
    maxEntries: MAX_UPSTREAMS,
    ageFrom: "get",
  });

  constructor(deps: UpstreamLoginsDeps) {
    this.#deps = deps;
  }

  /**
   * The login of a registered upstream. All transports to it share the token.
   * @param version names the credentials: a token of others is never used
   */
  of(gatewayId: string, version: string, target: LoginTarget): Authorization {
    let known = this.#byGateway.get(gatewayId);
    if (known?.version !== version) {
      const { records, secretBox } = this.#deps;
      const key = { gatewayId, owner: SHARED, version };
      const kept = records === null ? null : { records, key, secretBox };
      known = { version, source: this.#source(target, kept) };
      this.#byGateway.set(gatewayId, known);
    }
    return authorization(target, known.source);
  }

  /** The login of an upstream that is tried before it is registered. Its token is kept nowhere. */
  trial(target: LoginTarget): Authorization {
    return authorization(target, this.#source(target, null));
  }

  #source(target: LoginTarget, kept: ConstructorParameters<typeof TokenSource>[0]["kept"]): TokenSource {
    const { send, clock, log, count, timeoutMs } = this.#deps;
    const { upstream, url, caCertificate, credentials, read } = target;
    const given = [url.href, credentials.issuer, credentials.tokenUrl];
    return new TokenSource({
      ...{ upstream, url, credentials, read, kept, clock, count, timeoutMs },
      exchange: { send, caCertificate, allowsHttp: given.some((address) => address?.startsWith("http:")) },
      onFailure: (error) =>
        log.warning("cannot log in to upstream", { upstream, reason: operatorText(error) }),
    });
  }
}

/** Names the credentials of a gateway without telling them. */
export async function credentialsVersion(sealed: string, url: string): Promise<string> {
  const bytes = new TextEncoder().encode(`${url}\n${sealed}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function authorization({ url }: LoginTarget, source: TokenSource): Authorization {
  return {
    over: (client) => new AuthorizedClient(client, url.origin, source),
    get secrets() {
      const token = source.current;
      return token === null ? [] : tokenHeaders(token);
    },
  };
}
