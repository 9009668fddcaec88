// A login that failed, in words that anybody may read. The cause, which can name internal addresses, is for the log.

/**
 * For the metrics. refused: the person or the authorization server said no; start_again: the browser's answer belongs to no login that
 * is under way; failed: all else.
 */
export type LoginFaultKind = "refused" | "start_again" | "failed";

interface LoginFaultOptions extends ErrorOptions {
  /** Of the authorization server's error; null: it has said none. */
  readonly code?: string | null;
  readonly kind?: LoginFaultKind;
}

export class LoginFault extends Error {
  override readonly name = "LoginFault";
  readonly code: string | null;
  readonly kind: LoginFaultKind;

  constructor(message: string, { code = null, kind = "failed", ...options }: LoginFaultOptions = {}) {
    super(message, options);
    this.code = code;
    this.kind = kind;
  }
}

/** A client belongs to the server that has registered it (2026-07-28, basic/authorization, "Authorization Server Binding"). */
export const OTHER_SERVER =
  "it names another authorization server than the one that client_id of oauth_config belongs to. Give issuer if the client is " +
  "registered at the new one, or else a client_id of the new one";

/** An error code as RFC 6749, section 5.2 spells it, and nothing else that a server could have written into a text. */
export function codeOf(code: string): string {
  return /^[\w.-]{1,60}$/.test(code) ? code : "of another kind";
}

/** What to do about an error of a token endpoint (RFC 6749, section 5.2; RFC 8707, section 2). */
export function wordsOf(code: string): string {
  switch (code) {
    case "invalid_client":
    case "unauthorized_client":
      return "its authorization server does not accept the gateway's client (" + code +
        "). Check client_id, client_secret and client_auth in oauth_config";
    case "invalid_scope":
      return "its authorization server does not give the scopes (invalid_scope). Check scopes in oauth_config";
    case "invalid_target":
      return "its authorization server does not know the resource (invalid_target). Check resource in oauth_config";
    case "unsupported_grant_type":
      return "its authorization server does not support the grant_type of oauth_config for this client";
    default:
      return `its authorization server answered with the error ${codeOf(code)}`;
  }
}
