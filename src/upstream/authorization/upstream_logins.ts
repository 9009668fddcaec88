// The logins of a worker at upstreams that want OAuth.
import type { Clock } from "../../base/clock.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { operatorText } from "../../base/seen_answer.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { TokenKey, UpstreamTokens } from "../../store/upstream_tokens/upstream_tokens.ts";
import type { Log } from "../../telemetry/log.ts";
import type { HttpClient } from "../http_client/http_client.ts";
import type { TokenOwner } from "../client/passthrough.ts";
import type { HeaderList } from "../transport/transport.ts";
import { type Connections, SHARED_OWNER } from "../../store/upstream_tokens/connections.ts";
import { AuthorizedClient, OWNER_HEADER, type SourceOf, tokenHeaders } from "./authorized_client.ts";
import { loginNeeded, PersonLogin } from "./login/person_login.ts";
import type { LoginExchange, SendToServer } from "./login_exchange.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import { NamedServers } from "./source/named_servers.ts";
import { TokenSource } from "./source/token_source.ts";
import type { RenewalOutcome, TokenOutcome, TokenSourceDeps } from "./source/token_source_deps.ts";
import { missingToken, subjectToken } from "./token_exchange/subject_token.ts";
import { LISTER, NOBODY, subjectOwner, USER_OWNER } from "./token_owners.ts";

/** The login of an upstream, as transports use it. */
export interface Authorization {
  /** The client that sends requests with the token. */
  over(client: HttpClient): HttpClient;
  /** The headers that a request gets besides its own. Upstreams may repeat them in their answers. */
  secretsOf(headers: HeaderList): HeaderList;
  /** Finds the owner of the token that a call wants; null: all callers share one token. */
  readonly owner: TokenOwner | null;
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
  readonly countRenewal: (outcome: RenewalOutcome) => void;
  /** UPSTREAM_OAUTH_TIMEOUT */
  readonly timeoutMs: number;
  /** The issuers of JWT_ISSUERS, whose tokens are exchanged. */
  readonly issuers: ReadonlySet<string>;
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

/** The use of a login by requests without a caller: lists and health checks. */
export interface LoginUse {
  /** The requests are the gateway's own, and use the login that reads the lists where each user has one. */
  readonly isOwn: boolean;
}

/** Tokens in memory: those that were not used for the longest time are read again. */
const MAX_UPSTREAMS = 1_000;
const MAX_OWNERS = 5_000;

/** Limit of the exchanged tokens of one upstream, in characters. Each counts with its caller's token, and with so much for its own. */
const MAX_EXCHANGED_CHARS = 16 * 1024 * 1024;
const EXCHANGED_CHARS = 2_048;
const SWEEP_MS = 60_000;

/** The sources of one upstream's tokens, by owner. */
interface Sources {
  readonly version: string;
  readonly namedServers: NamedServers;
  readonly byOwner: BoundedMap<string, TokenSource>;
  /** By the caller's own token. */
  readonly exchanged: BoundedMap<string, TokenSource>;
  /** When the exchanged ones that have ended were forgotten, ms since the epoch. */
  sweptAt: number;
}

export class UpstreamLogins {
  readonly #deps: UpstreamLoginsDeps;
  readonly #byGateway = new BoundedMap<string, Sources>({ maxEntries: MAX_UPSTREAMS, ageFrom: "get" });
  readonly #subjects: TokenOwner;

  constructor(deps: UpstreamLoginsDeps) {
    this.#deps = deps;
    this.#subjects = subjectOwner(deps.issuers);
  }

  /**
   * The login of a registered upstream. All transports to it share the tokens.
   * @param version names the credentials: a token of others is never used
   */
  of(gatewayId: string, version: string, target: LoginTarget, { isOwn }: LoginUse = NOT_OWN): Authorization {
    const { upstream, credentials: { login, exchange } } = target;
    const sources = this.#sourcesOf(gatewayId, version, target);
    const { byOwner, namedServers } = sources;
    const ofOwner = (owner: string) => {
      let source = byOwner.get(owner);
      if (source === undefined) {
        byOwner.set(owner, source = this.#registered({ gatewayId, owner, version }, target, namedServers));
      }
      return source;
    };
    if (exchange !== undefined) {
      // The gateway's own requests have no caller: the client asks for a token of its own.
      const source = (owner: string | null) => {
        if (owner === LISTER || owner === null && isOwn) return ofOwner(SHARED_OWNER);
        if (owner === null || owner === NOBODY) throw missingToken(upstream);
        return this.#exchanged(sources, owner, { gatewayId, version }, target);
      };
      const known = (owner: string | null) => sources.exchanged.get(owner ?? NOBODY) ?? null;
      return authorization(target, source, known, this.#subjects);
    }
    if (login?.connection !== "user") {
      const source = ofOwner(SHARED_OWNER);
      return authorization(target, () => source, () => source, null);
    }
    const none = () => loginNeeded({ upstream, gatewayId, why: "nobody is connected" });
    const ofLister = async () => {
      const lister = await this.#deps.connections?.lister(gatewayId, version) ?? null;
      if (lister === null) throw none();
      return ofOwner(lister);
    };
    const sourceOf: SourceOf = (owner) => {
      if (owner !== null && owner !== LISTER) return ofOwner(owner);
      if (owner === null && !isOwn) throw none();
      return ofLister();
    };
    const known = (owner: string | null) => owner === null || owner === LISTER ? null : ofOwner(owner);
    return authorization(target, sourceOf, known, USER_OWNER);
  }

  /** Logins may have changed: the next request of each person looks at the database. */
  recheck(): void {
    for (const { byOwner } of this.#byGateway.values()) {
      for (const source of byOwner.values()) source.recheck();
    }
  }

  /** Begins no renewals behind calls any more. @returns when those under way have ended */
  async close(): Promise<void> {
    const sources = [...this.#byGateway.values()].flatMap(({ byOwner }) => [...byOwner.values()]);
    await Promise.all(sources.map((source) => source.close()));
  }

  /** The login of an upstream that is tried before it is registered. Its token is kept nowhere. */
  trial(target: LoginTarget): Authorization {
    const source = this.#source(target, { namedServers: this.#namedServers(target) });
    return authorization(target, () => source, () => source, null);
  }

  #sourcesOf(gatewayId: string, version: string, target: LoginTarget): Sources {
    let known = this.#byGateway.get(gatewayId);
    if (known?.version !== version) {
      known = {
        ...{ version, namedServers: this.#namedServers(target) },
        byOwner: new BoundedMap({ maxEntries: MAX_OWNERS, ageFrom: "get" }),
        exchanged: new BoundedMap({
          ...{ maxEntries: MAX_OWNERS, ageFrom: "get", maxWeight: MAX_EXCHANGED_CHARS },
          weightOf: (token) => token.length + EXCHANGED_CHARS,
        }),
        sweptAt: this.#deps.clock.now(),
      };
      this.#byGateway.set(gatewayId, known);
    }
    return known;
  }

  /** The source of what a caller's token is exchanged for. */
  #exchanged(
    sources: Sources,
    token: string,
    key: Omit<TokenKey, "owner">,
    target: LoginTarget,
  ): TokenSource {
    const { records, secretBox, clock } = this.#deps;
    const known = sources.exchanged.get(token);
    if (known !== undefined && !known.isOver) return known;
    const now = clock.now();
    if (now - sources.sweptAt >= SWEEP_MS) {
      sources.sweptAt = now;
      for (const [each, source] of [...sources.exchanged]) if (source.isOver) sources.exchanged.delete(each);
    }
    const subject = subjectToken(token, now);
    const { owner, caller, endsAt } = subject;
    const kept = records === null
      ? null
      : { records, secretBox, key: { ...key, owner, ends: { at: endsAt, caller } } };
    const source = this.#source(target, { kept, subject, namedServers: sources.namedServers });
    sources.exchanged.set(token, source);
    return source;
  }

  #registered(key: TokenKey, target: LoginTarget, namedServers: NamedServers): TokenSource {
    const { records, connections, secretBox } = this.#deps;
    const kept = records === null ? null : { records, key, secretBox };
    const isPerson = target.credentials.grant === "authorization_code" && connections !== null;
    const login = isPerson ? new PersonLogin(connections, target.upstream, key.gatewayId) : null;
    return this.#source(target, { kept, login, namedServers });
  }

  #source(
    target: LoginTarget,
    { kept = null, login = null, subject = null, namedServers }:
      & Partial<Pick<TokenSourceDeps, "kept" | "login" | "subject">>
      & Pick<TokenSourceDeps, "namedServers">,
  ): TokenSource {
    const { clock, log, count, countRenewal, timeoutMs } = this.#deps;
    const { upstream, url, credentials, read } = target;
    return new TokenSource({
      ...{ upstream, url, credentials, read, kept, login, subject, clock, count, countRenewal, timeoutMs },
      ...{ exchange: this.#exchange(target), namedServers },
      onFailure: (error) =>
        log.warning("cannot log in to upstream", { upstream, reason: operatorText(error) }),
    });
  }

  #exchange({ url, caCertificate, credentials }: LoginTarget): LoginExchange {
    return { send: this.#deps.send, caCertificate, allowsHttp: allowsHttp(url, credentials) };
  }

  #namedServers(target: LoginTarget): NamedServers {
    const { url, credentials } = target;
    return new NamedServers({ exchange: this.#exchange(target), url, credentials, clock: this.#deps.clock });
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
  owner: TokenOwner | null,
): Authorization {
  return {
    over: (client) => new AuthorizedClient(client, url.origin, sourceOf),
    secretsOf: (headers) => {
      const owner = headers.find(([name]) => name === OWNER_HEADER)?.[1] ?? null;
      const token = known(owner)?.current ?? null;
      return token === null ? [] : tokenHeaders(token);
    },
    owner,
  };
}
