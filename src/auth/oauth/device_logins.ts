// Logins of terminals (RFC 8628): the terminal shows a code, which a person types into a page of the gateway on another device.
import { SluiceError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { DeviceCodeRow } from "../../store/oauth/oauth_rows.ts";
import type { OAuthDevices } from "../../store/oauth/oauth_devices.ts";
import { digest } from "../logins/logins.ts";
import type { Principal } from "../principal.ts";
import { accessIn } from "./authorization_request.ts";
import { type Client, DEVICE_GRANT } from "./clients/client.ts";
import type { Clients } from "./clients/known_clients.ts";
import type { ConsentOutcome, Consents, Decision } from "./consents.ts";
import { newSecret } from "./new_secret.ts";
import { OAuthFault } from "./oauth_fault.ts";
import { type Resource, resourceIn, WHOLE_GATEWAY } from "./resources.ts";
import { type Scopes, scopesIn, scopeText } from "./scopes.ts";

export interface DeviceLoginsDeps {
  readonly clients: Clients;
  readonly devices: OAuthDevices;
  readonly consents: Consents;
  readonly clock: Clock;
  readonly count: (outcome: ConsentOutcome) => void;
}

/** What a terminal asks for. */
export interface DeviceRequest {
  readonly client: Client;
  readonly resource: Resource;
  readonly scopes: Scopes;
}

const TTL_MS = 10 * 60_000;

/** Seconds between two polls of a terminal (section 3.2). */
export const POLL_S = 5;

/** Logins that may wait for their people, all together. */
const MAX_PENDING = 10_000;

/** Letters without vowels, so that codes spell no words, and none that looks like another (section 6.1). 20^8 codes. */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const CODE_LETTERS = 8;

export class DeviceLogins {
  constructor(private readonly deps: DeviceLoginsDeps) {}

  /** @param issuer the gateway's address. @returns the answer of section 3.2. @throws {OAuthFault} */
  async begin(
    form: URLSearchParams,
    client: { readonly id: string; readonly secret: string | null },
    { issuer, page }: { readonly issuer: string; readonly page: string },
  ): Promise<Readonly<Record<string, unknown>>> {
    const { clients, devices, clock } = this.deps;
    const grants = await clients.authenticate(client.id, client.secret);
    if (grants === null) {
      throw new OAuthFault("invalid_client", "the client is not known, or its secret is wrong", 401);
    }
    if (!grants.includes(DEVICE_GRANT)) {
      throw new OAuthFault(
        "unauthorized_client",
        `the client has not registered the grant type ${DEVICE_GRANT}`,
      );
    }
    const { audience, scopes } = accessIn(form.getAll("resource"), form.get("scope"), issuer);
    const [deviceCode, userCode] = [newSecret(), newUserCode()];
    const row: DeviceCodeRow = {
      ...{ deviceHash: digest(deviceCode), userCode, clientId: client.id, issuer, resource: audience },
      ...{ scope: scopeText(scopes), state: "pending", consentId: null, allowedAt: null, polledAt: 0 },
      expiresAt: clock.now() + TTL_MS,
    };
    if (!await devices.insert(row, MAX_PENDING)) {
      throw new OAuthFault("temporarily_unavailable", `${MAX_PENDING} logins of terminals wait already`, 503);
    }
    const shown = `${userCode.slice(0, CODE_LETTERS / 2)}-${userCode.slice(CODE_LETTERS / 2)}`;
    return {
      ...{ device_code: deviceCode, user_code: shown, verification_uri: page },
      verification_uri_complete: `${page}?user_code=${shown}`,
      ...{ expires_in: TTL_MS / 1000, interval: POLL_S },
    };
  }

  /** @param typed the code as the person has typed it. @throws {SluiceError} UNAUTHENTICATED, FORBIDDEN, NOT_FOUND */
  async review(principal: Principal, typed: string): Promise<DeviceRequest> {
    await this.deps.consents.userOf(principal);
    const row = await this.#pending(typed);
    const client = await this.#client(row);
    const resource = resourceIn(row.resource, row.issuer) ?? WHOLE_GATEWAY;
    return { client, resource, scopes: scopesIn(row.scope)! };
  }

  /** @throws {SluiceError} as `review()`; CONFLICT */
  async decide(
    principal: Principal,
    typed: string,
    decision: Decision,
  ): Promise<{ outcome: ConsentOutcome; client: string }> {
    const { consents, devices, clock, count } = this.deps;
    const user = await consents.userOf(principal);
    const row = await this.#pending(typed);
    const client = await this.#client(row);
    const asked = scopesIn(row.scope)!;
    const permissions = asked.permissions.filter((each) => decision.permissions.includes(each));
    const isAllowed = decision.allows && permissions.length > 0;
    const scope = scopeText({ ...asked, permissions });
    const allowed = isAllowed
      ? {
        consentId: await consents.allow(user.id, client, { resource: row.resource, scope }),
        ...{ scope, at: clock.now() },
      }
      : null;
    if (!await devices.decide(row.userCode, allowed)) throw noLogin();
    const outcome = isAllowed ? "allowed" : "denied";
    count(outcome);
    return { outcome, client: client.id };
  }

  async #pending(typed: string): Promise<DeviceCodeRow> {
    const row = await this.deps.devices.pending(typed.toUpperCase().replaceAll(/[^A-Z]/g, "").slice(0, 20));
    if (row === null) throw noLogin();
    return row;
  }

  async #client({ clientId }: DeviceCodeRow): Promise<Client> {
    const client = await this.deps.clients.find(clientId).catch((error) => {
      if (error instanceof OAuthFault) throw new SluiceError("INVALID_REQUEST", { reason: error.message });
      throw error;
    });
    if (client === null) throw noLogin();
    // The client id of the login is the address of a document, which says only now what the client does.
    if (client.grantTypes.includes(DEVICE_GRANT)) return client;
    throw new SluiceError("INVALID_REQUEST", {
      reason:
        `${client.name} does not log in by codes of terminals; do not go on if somebody has sent you this code`,
    });
  }
}

function newUserCode(): string {
  let code = "";
  while (code.length < CODE_LETTERS) {
    // Bytes beyond the last multiple would make some letters more frequent.
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    if (byte! < 256 - 256 % LETTERS.length) code += LETTERS[byte! % LETTERS.length];
  }
  return code;
}

function noLogin(): SluiceError {
  return new SluiceError("NOT_FOUND", {
    what: "A login that waits with this code: type it again, or start the login anew;",
  });
}
