// Authorization requests before their user: what the user is asked, and what becomes of the answer.
import { SluiceError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { OAuthStore } from "../../store/oauth/oauth_store.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import type { Users } from "../../store/people/users.ts";
import { newId } from "../../store/sql/new_id.ts";
import { isWhole } from "../api_tokens/narrowing.ts";
import { digest } from "../logins/logins.ts";
import type { Principal } from "../principal.ts";
import {
  type AuthorizationRequest,
  clientIdIn,
  type ReplyAddress,
  replyAddressIn,
  replyUrl,
  requestIn,
} from "./authorization_request.ts";
import type { Client } from "./clients/client.ts";
import type { Clients } from "./clients/known_clients.ts";
import { hostOf, isOnThisMachine } from "./clients/redirect_uris.ts";
import { OAuthFault } from "./oauth_fault.ts";
import { scopesIn, scopeText } from "./scopes.ts";
import { newSecret } from "./new_secret.ts";

export type ConsentOutcome = "allowed" | "remembered" | "denied" | "refused";

export interface ConsentsDeps {
  readonly clients: Clients;
  readonly store: Pick<OAuthStore, "clients" | "consents" | "grants">;
  readonly users: Pick<Users, "get">;
  readonly clock: Clock;
  /** OAUTH_CLIENT_TTL_DAYS, ms */
  readonly clientTtlMs: number;
  /** OAUTH_MAX_APPLICATIONS_PER_USER */
  readonly maxPerUser: number;
  readonly count: (outcome: ConsentOutcome) => void;
}

export type Review =
  /** The browser goes back to the client. */
  | { readonly kind: "answered"; readonly url: string }
  /** @param allowedBefore the permissions that the user has allowed this client here before */
  | {
    readonly kind: "ask";
    readonly request: AuthorizationRequest;
    readonly allowedBefore: readonly string[];
  };

export interface Decision {
  readonly allows: boolean;
  /** The permissions that the user has left; others than the request's have no effect. */
  readonly permissions: readonly string[];
}

/** RFC 6749, section 4.1.2, recommends at most ten minutes; a client redeems its code at once. */
export const CODE_TTL_MS = 60_000;

interface Read {
  readonly user: UserRow;
  readonly client: Client;
  readonly reply: ReplyAddress;
  readonly request: AuthorizationRequest | OAuthFault;
}

export class Consents {
  constructor(private readonly deps: ConsentsDeps) {}

  /**
   * @param query of the authorization request
   * @param issuer the gateway's address
   * @throws {SluiceError} UNAUTHENTICATED, FORBIDDEN, INVALID_REQUEST
   */
  async review(principal: Principal, query: URLSearchParams, issuer: string): Promise<Review> {
    const { user, client, reply, request } = await this.#read(principal, query, issuer);
    if (request instanceof OAuthFault) return await this.#refuseUnasked(user, client, reply, request);
    const { audience, scopes } = request;
    const before = await this.deps.store.consents.find({
      ...{ userId: user.id, clientId: client.id, resource: audience },
    });
    const allowedBefore = before === null ? [] : scopesIn(before.scope)?.permissions ?? [];
    const isCovered = before !== null && scopesIn(before.scope)?.serverId === scopes.serverId &&
      scopes.permissions.every((permission) => allowedBefore.includes(permission));
    // Who answers on this machine proves nothing of the client (RFC 8252, section 8.6).
    if (isCovered && !request.isOnThisMachine && !request.mustAsk) {
      const code = await this.#codeFor(before.id, request, scopeText(scopes), reply.issuer);
      this.deps.count("remembered");
      return { kind: "answered", url: replyUrl(reply, { code }) };
    }
    if (request.mayNotAsk) {
      const fault = new OAuthFault("consent_required", "the user has to be asked");
      return await this.#refuseUnasked(user, client, reply, fault);
    }
    return { kind: "ask", request, allowedBefore };
  }

  /** @returns where the browser goes. @throws {SluiceError} as `review()`; CONFLICT */
  async decide(
    principal: Principal,
    query: URLSearchParams,
    issuer: string,
    decision: Decision,
  ): Promise<{ readonly url: string; readonly outcome: ConsentOutcome; readonly client: string | null }> {
    const { user, reply, request } = await this.#read(principal, query, issuer);
    const { count } = this.deps;
    if (request instanceof OAuthFault) {
      return { ...this.#refuse(reply, request), outcome: "refused", client: null };
    }
    const permissions = request.scopes.permissions.filter((each) => decision.permissions.includes(each));
    const client = request.client.id;
    if (!decision.allows || permissions.length === 0) {
      count("denied");
      const url = replyUrl(reply, new OAuthFault("access_denied", "the user has not allowed it"));
      return { url, outcome: "denied", client };
    }
    const scope = scopeText({ ...request.scopes, permissions });
    const consentId = await this.allow(user.id, request.client, { resource: request.audience, scope });
    const code = await this.#codeFor(consentId, request, scope, reply.issuer);
    count("allowed");
    return { url: replyUrl(reply, { code }), outcome: "allowed", client };
  }

  /** Keeps that a user allows a client something. @returns the id of the consent. @throws {SluiceError} CONFLICT */
  async allow(
    userId: string,
    { id, name, host }: Client,
    access: { readonly resource: string; readonly scope: string },
  ): Promise<string> {
    const { store, clientTtlMs, maxPerUser } = this.deps;
    const before = await store.consents.find({ userId, clientId: id, resource: access.resource });
    const given = {
      ...{ userId, clientId: id, clientName: name, clientHost: host, resource: access.resource },
      scope: before === null ? access.scope : joined(before.scope, access.scope),
    };
    const consent = await store.consents.allow(given, maxPerUser);
    if (consent === null) {
      throw new SluiceError("CONFLICT", {
        reason:
          `You have ${maxPerUser} connected applications, which is the limit (OAUTH_MAX_APPLICATIONS_PER_USER); ` +
          "disconnect one first",
      });
    }
    await store.clients.use(id, clientTtlMs);
    return consent.id;
  }

  /**
   * The user who may allow clients something: with a record, so that what is allowed ends with the user, and with a token that
   * narrows nothing, because a consent reaches as far as the user does.
   * @throws {SluiceError} UNAUTHENTICATED, FORBIDDEN
   */
  async userOf(principal: Principal): Promise<UserRow> {
    if (principal.kind === "anonymous") throw new SluiceError("UNAUTHENTICATED", { reason: "sign in first" });
    if (!isWhole(principal) || principal.apiToken !== null || principal.resource !== undefined) {
      throw new SluiceError("FORBIDDEN", {
        reason:
          "applications are connected with a login, and you have signed in with a token that is limited",
      });
    }
    const user = await this.deps.users.get(principal.email);
    if (user !== null && user.isActive) return user;
    throw new SluiceError("FORBIDDEN", {
      reason:
        `applications are connected by users, and ${principal.email} is none: an administrator adds users, ` +
        "or single sign-on does",
    });
  }

  async #read(principal: Principal, query: URLSearchParams, issuer: string): Promise<Read> {
    const user = await this.userOf(principal);
    const client = await this.#client(clientIdIn(query));
    const reply = replyAddressIn(query, client, issuer);
    try {
      return { user, client, reply, request: requestIn(query, client, reply) };
    } catch (error) {
      if (!(error instanceof OAuthFault)) throw error;
      return { user, client, reply, request: error };
    }
  }

  async #client(id: string): Promise<Client> {
    try {
      const client = await this.deps.clients.find(id);
      if (client !== null) return client;
    } catch (error) {
      if (!(error instanceof OAuthFault)) throw error;
      throw new SluiceError("INVALID_REQUEST", { reason: error.message });
    }
    throw new SluiceError("INVALID_REQUEST", {
      reason:
        "the client is not registered here, or its registration has expired; remove the gateway from the " +
        "client's logins, and connect again",
    });
  }

  /**
   * Refuses before the user has decided anything. The registration of a client chooses its address: a link with a fault in it must
   * not bring a browser to a site that its user has never allowed anything (RFC 9700, section 4.11.2).
   * @throws {SluiceError} INVALID_REQUEST
   */
  async #refuseUnasked(user: UserRow, client: Client, reply: ReplyAddress, fault: OAuthFault) {
    const isTrusted = isOnThisMachine(reply.redirectUri) ||
      await this.deps.store.consents.hasAny({ userId: user.id, clientId: client.id });
    if (isTrusted) return this.#refuse(reply, fault);
    this.deps.count("refused");
    throw new SluiceError("INVALID_REQUEST", {
      reason:
        `${client.name} of ${hostOf(reply.redirectUri)} has sent you here with a request that cannot be ` +
        `answered: ${fault.message}`,
    });
  }

  #refuse(reply: ReplyAddress, fault: OAuthFault): { readonly kind: "answered"; readonly url: string } {
    this.deps.count("refused");
    return { kind: "answered", url: replyUrl(reply, fault) };
  }

  async #codeFor(
    consentId: string,
    { redirectUri, challenge }: AuthorizationRequest,
    scope: string,
    issuer: string,
  ): Promise<string> {
    const { store, clock } = this.deps;
    const code = newSecret();
    await store.grants.insertCode({
      codeHash: digest(code),
      ...{ consentId, issuer, redirectUri, challenge, scope, state: "new", grantId: newId() },
      expiresAt: clock.now() + CODE_TTL_MS,
    });
    return code;
  }
}

/** Former logins of the client keep what they were allowed, so that the consent names it too. */
function joined(before: string, now: string): string {
  const [former, present] = [scopesIn(before), scopesIn(now)!];
  if (former === null || former.serverId !== present.serverId) return now;
  return scopeText({
    ...present,
    permissions: [...new Set([...former.permissions, ...present.permissions])],
  });
}
