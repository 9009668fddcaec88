// METRICS_TOKEN: a secret that a scraper sends in place of a token. It opens the metrics alone, and does not expire.
import type { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { operatorOf, type Principal } from "../../auth/principal.ts";

/** The scraper in the access log. No user is called so: a subject of ours is an address or an id. */
const SUBJECT = "METRICS_TOKEN";

/** @returns finds who sends the secret in an Authorization header; null: somebody else */
export function scraperOf(secret: string): (authorization: string | null) => Principal | null {
  const expected = digest(secret);
  const scraper: Principal = { ...operatorOf(SUBJECT), permissions: ["admin.metrics"] };
  return (authorization) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    // Of equal length, so that the time of the comparison tells nothing.
    return token !== undefined && timingSafeEqual(digest(token), expected) ? scraper : null;
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
