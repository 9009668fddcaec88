// Whose token a call to an upstream wants, where callers do not share one.
import type { TokenOwner } from "../client/passthrough.ts";
import { OWNER_HEADER } from "./authorized_client.ts";

/** A call without a token of its own. */
export const NOBODY = "anonymous";

/** The gateway listens for changes of lists with the token that reads the lists. */
export const LISTER = ":lister";

/** Each user has logged in at the upstream. */
export const USER_OWNER: TokenOwner = {
  header: OWNER_HEADER,
  // A token can name any user.
  of: ({ token }) => token === null || token.user === LISTER ? NOBODY : token.user,
  own: LISTER,
};

/**
 * The token of each call is exchanged. The owner is the caller's token itself, and not its subject: a call with a narrow token must not
 * use what was given for a wider one of the same caller.
 * @param issuers those of JWT_ISSUERS: no authorization server of an upstream knows the gateway's own tokens
 */
export function subjectOwner(issuers: ReadonlySet<string>): TokenOwner {
  return {
    header: OWNER_HEADER,
    own: LISTER,
    of: ({ token, received }) => {
      if (token === null || !issuers.has(token.issuer)) return NOBODY;
      return /^Bearer +(\S+)$/i.exec(received.get("authorization") ?? "")?.[1] ?? NOBODY;
    },
  };
}
