// The logins of a worker at upstreams that want OAuth.
import type { Clock } from "../../base/clock.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { operatorText } from "../../base/seen_answer.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { TokenKey, UpstreamTokens } from "../../store/upstream_tokens/upstream_tokens.ts";
import type { Log } from "../../telemetry/log.ts";
import type { HttpClient } from "../http_client/http_client.ts";
import type { HeaderList } from "../transport/transport.ts";
import { type Connections, SHARED_OWNER } from "../../store/upstream_tokens/connections.ts";
import { AuthorizedClient, OWNER_HEADER, type SourceOf, tokenHeaders } from "./authorized_client.ts";
import { loginNeeded, PersonLogin } from "./login/person_login.ts";
import type { SendToServer } from "./login_exchange.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import { type TokenOutcome, TokenSource, type TokenSourceDeps } from "./token_source.ts";

/** What transports need to know of a login. */
export interface Authorization {
  /** The client that sends requests with the token. */
  over(client: HttpClient): HttpClient;
  /** The headers that a request gets besides its own. Upstreams may repeat them in their answers. */
  secretsOf(headers: HeaderList): HeaderList;
  /** Each caller has a token of its own. */
  readonly isPersonal: boolean;
}

export interface UpstreamLoginsDeps {
  readonly send: SendToServer;
  /** null: in memory alone. */
  readonly records: UpstreamTokens | null;
  /** null: people do not log in. */
  readonly connections: Connections | null;
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

/** What an upstream is asked without a caller: its lists, and whether it is alive. */
export interface LoginUse {
  /** The requests are the gateway's own, and use the login that reads the lists where each user has one. */
  readonly isOwn: boolean;
}

/** Tokens in memory: those that were not used for the longest time are read again. */
const MAX_UPSTREAMS = 1_000;
const MAX_OWNERS = 5_000;

/** The sources of one upstream's tokens, by owner. */
interface Sources {
  readonly version: string;
  readonly byOwner: BoundedMap<string, TokenSource>;
}

export class UpstreamLogins {
  readonly #deps: UpstreamLoginsDeps;
  readonly #byGateway = new BoundedMap<string, Sources>({ maxEntries: MAX_UPSTREAMS, ageFrom: "get" });

  constructor(deps: UpstreamLoginsDeps) {
    this.#deps = deps;
  }

  /**
   * The login of a registered upstream. All transports to it share the tokens.
   * @param version names the credentials: a token of others is never used
   */
  of(gatewayId: string, version: string, target: LoginTarget, { isOwn }: LoginUse = NOT_OWN): Authorization {
    const { upstream, credentials: { login } } = target;
    const byOwner = this.#sourcesOf(gatewayId, version);
    const ofOwner = (owner: string) => {
      let source = byOwner.get(owner);
      if (source === undefined) {
        byOwner.set(owner, source = this.#registered({ gatewayId, owner, version }, target));
      }
      return source;
    };
    if (login?.connection !== "user") {
      const source = ofOwner(SHARED_OWNER);
      return authorization(target, () => source, () => source, false);
    }
    const none = () => loginNeeded({ upstream, gatewayId, why: "nobody has connected yet" });
    const ofLister = async () => {
      const lister = await this.#deps.connections?.lister(gatewayId, version) ?? null;
      if (lister === null) throw none();
      return ofOwner(lister);
    };
    const sourceOf: SourceOf = (owner) => {
      if (owner !== null) return ofOwner(owner);
      if (!isOwn) throw none();
      return ofLister();
    };
    return authorization(target, sourceOf, (owner) => owner === null ? null : ofOwner(owner), true);
  }

  /** Logins may have changed: the next request of each person looks at the database. */
  recheck(): void {
    for (const { byOwner } of this.#byGateway.values()) {
      for (const source of byOwner.values()) source.recheck();
    }
  }

  /** The login of an upstream that is tried before it is registered. Its token is kept nowhere. */
  trial(target: LoginTarget): Authorization {
    const source = this.#source(target, null, null);
    return authorization(target, () => source, () => source, false);
  }

  #sourcesOf(gatewayId: string, version: string): Sources["byOwner"] {
    let known = this.#byGateway.get(gatewayId);
    if (known?.version !== version) {
      known = { version, byOwner: new BoundedMap({ maxEntries: MAX_OWNERS, ageFrom: "get" }) };
      this.#byGateway.set(gatewayId, known);
    }
    return known.byOwner;
  }

  #registered(key: TokenKey, target: LoginTarget): TokenSource {
    const { records, connections, secretBox } = this.#deps;
    const kept = records === null ? null : { records, key, secretBox };
    const isPerson = target.credentials.grant === "authorization_code" && connections !== null;
    return this.#source(
      target,
      kept,
      isPerson ? new PersonLogin(connections, target.upstream, key.gatewayId) : null,
    );
  }

  #source(target: LoginTarget, kept: TokenSourceDeps["kept"], login: PersonLogin | null): TokenSource {
    const { send, clock, log, count, timeoutMs } = this.#deps;
    const { upstream, url, caCertificate, credentials, read } = target;
    return new TokenSource({
      ...{ upstream, url, credentials, read, kept, login, clock, count, timeoutMs },
      exchange: { send, caCertificate, allowsHttp: allowsHttp(url, credentials) },
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

const NOT_OWN: LoginUse = { isOwn: false };

/** Requests to the authorization server need https, unless the operator has given an address without it. */
export function allowsHttp(url: URL, { issuer, tokenUrl }: OAuthCredentials): boolean {
  return [url.href, issuer, tokenUrl].some((address) => address?.startsWith("http:"));
}

/** @param known the source of a request's token, as far as it is known at once */
function authorization(
  { url }: LoginTarget,
  sourceOf: SourceOf,
  known: (owner: string | null) => TokenSource | null,
  isPersonal: boolean,
): Authorization {
  return {
    over: (client) => new AuthorizedClient(client, url.origin, sourceOf),
    secretsOf: (headers) => {
      const owner = headers.find(([name]) => name === OWNER_HEADER)?.[1] ?? null;
      const token = known(owner)?.current ?? null;
      return token === null ? [] : tokenHeaders(token);
    },
    isPersonal,
  };
}
