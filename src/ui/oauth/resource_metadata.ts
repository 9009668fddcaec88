// Room `oauth`: what OAuth clients ask of the gateway over HTTP, and the pages where people answer them.
//
// The metadata of the protected resources (RFC 9728): behind the well-known path, and by ContextForge's addresses.
import { METADATA_PATH, type Resource, resourceAt, WHOLE_GATEWAY } from "../../auth/oauth/resources.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import type { ProtectedResources } from "../../http/protected_resources.ts";
import { peerAddress } from "../../base/egress/trusted_proxies.ts";

/** As ContextForge had it: the well-known path below the virtual server. */
const BELOW_SERVER = /^(\/servers\/[^/]+)\/\.well-known\/oauth-protected-resource$/;

export function isResourceMetadataPath(path: string): boolean {
  return path === METADATA_PATH || path.startsWith(`${METADATA_PATH}/`) || BELOW_SERVER.test(path);
}

/** The resource whose metadata a path has; null: none. @param rootPath APP_ROOT_PATH, which the resource's path may begin with */
export function describedAt(path: string, rootPath: string): Resource | null {
  const server = BELOW_SERVER.exec(path)?.[1];
  if (server !== undefined) return resourceAt(`${server}/mcp`);
  const rest = path.slice(METADATA_PATH.length);
  const isBelow = rootPath !== "" && (rest === rootPath || rest.startsWith(`${rootPath}/`));
  const own = isBelow ? rest.slice(rootPath.length) : rest;
  return own === "" ? WHOLE_GATEWAY : resourceAt(own);
}

export class ResourceMetadataEndpoint implements Endpoint {
  readonly name = "oauth_metadata";
  readonly speaks = "rest";
  readonly open = true;
  readonly isForAnyPage = true;

  constructor(private readonly resources: ProtectedResources, private readonly rootPath: string) {}

  serve({ request, path, info }: Exchange): Promise<Response> {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "GET" });
    }
    const resource = describedAt(path, this.rootPath);
    const metadata = resource === null
      ? null
      : this.resources.metadataOf(resource, request, peerAddress(info));
    if (metadata === null) throw new SluiceError("NOT_FOUND", { what: "Path" });
    return Promise.resolve(Response.json(metadata, { headers: { "cache-control": "private, max-age=300" } }));
  }
}
