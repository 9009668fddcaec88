// Room `oauth`: the gateway as a resource server and as an authorization server of OAuth 2.1. Other rooms use `ProtectedResources`,
// `AccessTokens` and `AuthorizationServer`.
//
// The resources that clients log in to (RFC 8707, RFC 9728): the whole gateway, and each of its MCP endpoints.
import { serverIdOf } from "../../store/sql/server_ids.ts";

/** A resource of this gateway. */
export interface Resource {
  /** The path below the gateway's address as the client writes it; empty: the whole gateway, which means all of its MCP endpoints. */
  readonly path: string;
  /** The path with the virtual server's id in the registry's form. */
  readonly canonicalPath: string;
  /** The virtual server that it belongs to; null: none. */
  readonly serverId: string | null;
}

export const WHOLE_GATEWAY: Resource = { path: "", canonicalPath: "", serverId: null };

/** RFC 9728, section 3: the path of a resource's metadata goes behind this one. */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";

/** Endpoints of one transport have one address for clients: messages of SSE go where the stream says. */
const RESOURCE_BY_LAST: Readonly<Record<string, string>> = {
  mcp: "mcp",
  rpc: "rpc",
  ws: "ws",
  sse: "sse",
  message: "sse",
};

/** An id has the characters of a path's segment (RFC 3986, section 3.3): it goes into the header of a challenge and into addresses. */
const ENDPOINT = /^(?:\/servers\/([\w.~!$&'()*+,;=:@%-]+))?\/(mcp|rpc|ws|sse|message)$/;

/**
 * The resource that the path of an MCP endpoint belongs to; null: the path is no MCP endpoint, and no access token opens it.
 * @param path without a slash at the end
 */
export function resourceAt(path: string): Resource | null {
  const [, id, last = ""] = ENDPOINT.exec(path) ?? [];
  const name = RESOURCE_BY_LAST[last];
  if (name === undefined) return null;
  if (id === undefined) return { path: `/${name}`, canonicalPath: `/${name}`, serverId: null };
  if (name === "rpc") return null;
  const serverId = serverIdOf(id);
  return { path: `/servers/${id}/${name}`, canonicalPath: `/servers/${serverId}/${name}`, serverId };
}

/**
 * The resource at an address; null: it is none of this gateway.
 * @param base the gateway's address, without a slash at the end
 */
export function resourceIn(address: string, base: string): Resource | null {
  const url = URL.parse(address);
  if (url === null || url.hash !== "" || url.search !== "" || url.username !== "" || url.password !== "") {
    return null;
  }
  const text = url.href.replace(/\/$/, "");
  if (text === base) return WHOLE_GATEWAY;
  return text.startsWith(`${base}/`) ? resourceAt(text.slice(base.length)) : null;
}

/** How tokens name a resource. */
export function audienceOf(base: string, { canonicalPath }: Resource): string {
  return base + canonicalPath;
}

/** Does a token for the resource `audience` open the resource at `base`? */
export function opens(audience: string, base: string, resource: Resource): boolean {
  return audience === base || audience === audienceOf(base, resource);
}
