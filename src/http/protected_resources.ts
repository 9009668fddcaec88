// The MCP endpoints as resources of OAuth 2.1: what a refused client is told (RFC 6750, RFC 9728), and which access tokens open which
// of them (RFC 8707).
import { METADATA_PATH, opens, type Resource, resourceAt } from "../auth/oauth/resources.ts";
import { SluiceError } from "../base/errors.ts";

export interface ProtectedResourcesDeps {
  /** The gateway's address as the client sees it, without a slash at the end. @throws {SluiceError} INVALID_REQUEST */
  readonly baseOf: (request: Request, from: string) => string;
  /** The issuers where clients log in; empty: they cannot log in. */
  readonly authorizationServers: (base: string) => readonly string[];
  /** The scopes that clients ask for there; empty: those servers have none for the gateway. */
  readonly scopes: () => readonly string[];
}

export class ProtectedResources {
  constructor(private readonly deps: ProtectedResourcesDeps) {}

  /**
   * Checks that an access token is for the resource of this path.
   * @param audience the token's resource
   * @param from the peer's IP address
   * @throws {SluiceError} UNAUTHENTICATED, INVALID_REQUEST
   */
  require(audience: string, request: Request, path: string, from: string): void {
    const resource = resourceAt(path);
    if (resource !== null && opens(audience, this.deps.baseOf(request, from), resource)) return;
    throw new SluiceError("UNAUTHENTICATED", {
      reason: `the token is for ${audience}${
        resource === null ? ", and access tokens open MCP endpoints only" : ""
      }`,
      token: "invalid",
    });
  }

  /**
   * Adds to the challenge of a refusal where the client finds out how to log in, and the scopes to ask for.
   * @param needed the scopes that the error names; undefined: those of the metadata
   */
  completeChallenge(headers: Headers, request: Request, path: string, from: string, needed?: string): void {
    const challenge = headers.get("www-authenticate");
    const resource = resourceAt(path);
    if (challenge === null || resource === null) return;
    const base = this.#baseIf(request, from);
    if (base === null || this.deps.authorizationServers(base).length === 0) return;
    const metadata = `${base}${METADATA_PATH}${resource.path}`;
    const scope = needed ?? this.deps.scopes().join(" ");
    headers.set(
      "www-authenticate",
      `${challenge}${scope === "" ? "" : `, scope="${scope}"`}, resource_metadata="${metadata}"`,
    );
  }

  /** The metadata of a resource (RFC 9728, section 2); null: nobody can log in to it. */
  metadataOf(resource: Resource, request: Request, from: string): Readonly<Record<string, unknown>> | null {
    const base = this.deps.baseOf(request, from);
    const authorizationServers = this.deps.authorizationServers(base);
    if (authorizationServers.length === 0) return null;
    const scopes = this.deps.scopes();
    return {
      resource: base + resource.path,
      resource_name: resource.serverId === null ? "Sluice" : `Sluice, virtual server ${resource.serverId}`,
      authorization_servers: authorizationServers,
      ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
      bearer_methods_supported: ["header"],
    };
  }

  /** A refusal must not fail because of a Host header that is no address. */
  #baseIf(request: Request, from: string): string | null {
    try {
      return this.deps.baseOf(request, from);
    } catch {
      return null;
    }
  }
}
