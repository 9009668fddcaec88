// The authorization server: the parts that its HTTP endpoint and the pages use.
import type { OwnKeys } from "../keys/own_keys.ts";
import type { Consents } from "./consents.ts";
import type { DeviceLogins } from "./device_logins.ts";
import type { RequestLimits } from "./request_limits.ts";
import { type MetadataRules, publicKeySet, serverMetadata } from "./server_metadata.ts";
import type { TokenAnswer, TokenRequest } from "./tokens.ts";

export interface AuthorizationServerDeps {
  /** May people log in here: OAUTH_AUTHORIZATION_SERVER, and with `auto` whether there are any? */
  readonly isOn: () => boolean;
  readonly keys: Pick<OwnKeys, "publicKeys">;
  readonly rules: MetadataRules;
  readonly limits: RequestLimits;
  readonly consents: Consents;
  readonly devices: DeviceLogins;
  readonly answerToken: (request: TokenRequest) => Promise<TokenAnswer>;
  /** @param metadata of the client. @throws {OAuthFault} */
  readonly register: (metadata: unknown) => Promise<Readonly<Record<string, unknown>>>;
  /** @throws {OAuthFault} */
  readonly revoke: (
    form: URLSearchParams,
    client: { readonly id: string; readonly secret: string | null },
  ) => Promise<void>;
}

export class AuthorizationServer {
  constructor(readonly deps: AuthorizationServerDeps) {}

  get isOn(): boolean {
    return this.deps.isOn();
  }

  /** @param issuer the gateway's address */
  metadata(issuer: string): Readonly<Record<string, unknown>> {
    return serverMetadata(issuer, this.deps.rules);
  }

  publicKeys(): Readonly<Record<string, unknown>> {
    return publicKeySet(this.deps.keys);
  }
}
