// The address at which browsers reach the gateway, and paths in it.
import { SluiceError } from "../../base/errors.ts";
import type { TrustedProxies } from "../../base/egress/trusted_proxies.ts";

export interface PublicBaseDeps {
  /** GATEWAY_PUBLIC_URL; null: the request tells. */
  readonly configured: string | null;
  readonly trustedProxies: Pick<TrustedProxies, "originOf">;
  /** The path below which a proxy publishes the gateway; null: none. */
  readonly prefixOf: (headers: Headers, from: string) => string | null;
}

export class PublicBase {
  constructor(private readonly deps: PublicBaseDeps) {}

  /** Without a slash at the end. @param from the peer's IP address. @throws {SluiceError} INVALID_REQUEST */
  of(request: Pick<Request, "url" | "headers">, from: string): string {
    const { configured, trustedProxies, prefixOf } = this.deps;
    if (configured !== null) return configured;
    const { scheme, host } = trustedProxies.originOf(request, from);
    const base = URL.parse(`${scheme}://${host}${prefixOf(request.headers, from) ?? ""}`);
    if (base === null || !/^https?:$/.test(base.protocol)) {
      throw new SluiceError("INVALID_REQUEST", { reason: "the Host header is no address" });
    }
    return base.href.replace(/\/$/, "");
  }
}

const MAX_PATH_CHARS = 2_000;

/**
 * The path if it stays at the origin of `base`, else null: `//host`, `/\host` and control characters lead browsers elsewhere. The path
 * is looked at with its dot segments resolved, since `/a/..//host` becomes `//host`.
 */
export function ownPath(path: string, base: string): string | null {
  if (path.length > MAX_PATH_CHARS || !/^\/(?!\/)[^\\\p{Cc}]*$/u.test(path)) return null;
  const url = URL.parse(path, base);
  if (url === null || url.origin !== new URL(base).origin || url.pathname.startsWith("//")) return null;
  return url.pathname + url.search + url.hash;
}
