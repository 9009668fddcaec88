// Browsers of strangers stay out: a request with an Origin that is neither allowed nor of this machine gets 403 (MCP 2025-11-25,
// transports, "Security Warning": DNS rebinding).
import { SluiceError } from "../base/errors.ts";

export class OriginGuard {
  readonly #allowed: ReadonlySet<string>;

  constructor(allowedOrigins: readonly string[]) {
    this.#allowed = new Set(allowedOrigins.map((origin) => origin.toLowerCase()));
  }

  /** @throws {SluiceError} ORIGIN_DENIED */
  check(headers: Headers): void {
    const origin = headers.get("origin");
    if (origin === null || this.#allowed.has(origin.toLowerCase()) || isLoopback(origin)) return;
    throw new SluiceError("ORIGIN_DENIED", { origin: origin.slice(0, 200) });
  }
}

function isLoopback(origin: string): boolean {
  return /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(origin);
}
