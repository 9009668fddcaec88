// What a token may reach, as a key. A token can be narrowed to a virtual server, to permissions or to teams. A narrowed token must not
// use what another token of the same subject has opened, nor lend its own to that token.
import type { Principal } from "./principal.ts";
import { EVERY_PERMISSION } from "./permission_table.ts";
import { visibilityKey } from "./rbac.ts";

/** The verified token of a caller. A renewed token with the same limits is equal. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string;
  /** See `reachKey()`. */
  readonly reach: string;
  /** The email address of the user. */
  readonly user: string;
}

/** Null for a caller without a verified token. */
export function tokenOf(principal: Principal): VerifiedToken | null {
  const { kind, issuer, subject, email } = principal;
  return kind === "anonymous"
    ? null
    : { issuer: issuer ?? "", subject, reach: reachKey(principal), user: email };
}

/** A principal is the same object for every request with its token, so that a warm request builds no text. */
const keys = new WeakMap<Principal, string>();

/** A key of the limits of a principal's token: its virtual server, its permissions, and what its teams let it see. */
export function reachKey(principal: Principal): string {
  let key = keys.get(principal);
  if (key === undefined) keys.set(principal, key = buildKey(principal));
  return key;
}

function buildKey(principal: Principal): string {
  const { serverId, permissions } = principal;
  const isWhole = permissions === null || permissions.includes(EVERY_PERMISSION);
  const limits = isWhole ? null : [...new Set(permissions)].sort();
  return JSON.stringify([visibilityKey(principal), serverId, limits]);
}
