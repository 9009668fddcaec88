// HTTP clients that present a certificate. Each pair of certificate and key has connections and TLS sessions of its own. They are
// `fetch`'s, because Deno's own TLS upgrade of a connection takes no client certificate.
import type { Clock } from "../../base/clock.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Authorization } from "../authorization/upstream_logins.ts";
import { isRelayInForce, SocksRelay, type SocksRelayOptions } from "../dial/socks_relay.ts";
import { FetchClient, type FetchClientOptions } from "../http_client/fetch_client.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http_client/http_client.ts";
import {
  CertificateFault,
  type CheckedCertificate,
  checkedCertificate,
  type ClientCertificate,
  expiryText,
} from "./client_certificate.ts";

export interface CertifiedClientsOptions
  extends Omit<FetchClientOptions, "certificate" | "relay" | "clock">, SocksRelayOptions {
  readonly clock: Clock;
  readonly variable: (name: string) => string | undefined;
}

/** Pairs with open connections. Beyond them, the least recently used pair opens its connections anew. */
const MAX_PAIRS = 256;

export class CertifiedClients {
  readonly #options: CertifiedClientsOptions;
  readonly #byId = new BoundedMap<string, FetchClient>({
    maxEntries: MAX_PAIRS,
    ageFrom: "get",
    onEvict: (client) => client.release(),
  });
  #relay: SocksRelay | null = null;

  constructor(options: CertifiedClientsOptions) {
    this.#options = options;
  }

  /**
   * The login of an upstream over connections with its client certificate.
   * @param certificate null: the gateway has none for the upstream
   * @param login undefined: the upstream wants none
   */
  over(certificate: ClientCertificate | null, login: Authorization | undefined): Authorization | undefined {
    if (certificate === null) return login;
    const own = new CertifiedClient(certificate, this.#options.clock, (checked) => this.#clientOf(checked));
    return {
      over: () => login?.over(own) ?? own,
      secretsOf: (headers) => login?.secretsOf(headers) ?? [],
      owner: login?.owner ?? null,
    };
  }

  close(): void {
    for (const [, client] of this.#byId) client.close();
    this.#byId.clear();
    this.#relay?.close();
    this.#relay = null;
  }

  #clientOf(checked: CheckedCertificate): FetchClient {
    const { variable } = this.#options;
    if (!isRelayInForce(variable)) {
      throw new CertificateFault(
        "client_cert",
        "cannot be used while the environment has NO_PROXY; write NO_PROXY into the settings file .env instead",
      );
    }
    let client = this.#byId.get(checked.id);
    if (client === undefined) {
      this.#relay ??= new SocksRelay(this.#options);
      client = new FetchClient({ ...this.#options, relay: this.#relay, certificate: checked });
      this.#byId.set(checked.id, client);
    }
    return client;
  }
}

class CertifiedClient implements HttpClient {
  readonly #certificate: ClientCertificate;
  readonly #clock: Clock;
  readonly #clientOf: (checked: CheckedCertificate) => FetchClient;
  #checked: CheckedCertificate | null = null;

  constructor(
    certificate: ClientCertificate,
    clock: Clock,
    clientOf: (checked: CheckedCertificate) => FetchClient,
  ) {
    this.#certificate = certificate;
    this.#clock = clock;
    this.#clientOf = clientOf;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    return await this.#client(request.upstream).send(request);
  }

  /** The clients belong to `CertifiedClients`. */
  close(): void {}

  /** @throws {SluiceError} UPSTREAM_TLS_FAILED */
  #client(upstream: string): FetchClient {
    const now = this.#clock.now();
    try {
      const checked = this.#checked ??= checkedCertificate(this.#certificate, now);
      if (checked.validUntil < now) {
        throw new CertificateFault("client_cert", `${expiryText(checked.validUntil)}; register a new one`);
      }
      return this.#clientOf(checked);
    } catch (error) {
      if (!(error instanceof CertificateFault)) throw error;
      const reason = `the ${error.part} of its registration ${error.message}`;
      throw new SluiceError("UPSTREAM_TLS_FAILED", { upstream, reason }, { cause: error });
    }
  }
}
