// Room `connections`: people log in at upstreams. This file serves the gateway's metadata as a client: an authorization server that
// knows clients by such documents reads it, and needs no registration (2025-11-25, basic/authorization, "Client ID Metadata Documents").
import { SluiceError } from "../../base/errors.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import { peerAddress } from "../../base/egress/trusted_proxies.ts";
import { clientDocument } from "../../upstream/authorization/login/login_client.ts";
import type { PublicBase } from "../sso/public_base.ts";

const PATH = /^\/oauth\/client-metadata\/([0-9a-zA-Z-]{1,64})$/;

export function isClientMetadataPath(path: string): boolean {
  return PATH.test(path);
}

/** @param base the gateway's address as browsers see it */
export function clientMetadataUrl(base: string, gatewayId: string): string {
  return `${base}/oauth/client-metadata/${gatewayId}`;
}

/**
 * Of given clients. Each upstream has its own, and each other client at the upstream has one below it, so that the answer of one
 * authorization server never counts as that of another one.
 */
export function redirectUri(base: string, gatewayId: string): string {
  return `${base}/admin/connections/${gatewayId}/callback`;
}

export class ClientMetadataEndpoint implements Endpoint {
  readonly name = "oauth";
  readonly speaks = "rest";
  readonly open = true;

  constructor(private readonly base: PublicBase) {}

  serve({ request, path, info }: Exchange): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "GET" });
    }
    const [, gatewayId] = PATH.exec(path)!;
    const base = this.base.of(request, peerAddress(info));
    // An id without an upstream gets the same answer, so that nobody can find out which upstreams there are.
    const document = clientDocument(clientMetadataUrl(base, gatewayId), redirectUri(base, gatewayId));
    return Promise.resolve(Response.json(document, { headers: { "cache-control": "public, max-age=300" } }));
  }
}
