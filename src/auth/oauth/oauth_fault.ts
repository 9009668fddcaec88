// Faults of OAuth requests, as clients are told them (RFC 6749, sections 4.1.2.1 and 5.2; RFC 7591, section 3.2.2; RFC 8707, section 2;
// RFC 8628, section 3.5).

export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "invalid_scope"
  | "invalid_target"
  | "invalid_redirect_uri"
  | "invalid_client_metadata"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "unsupported_response_type"
  | "request_not_supported"
  | "request_uri_not_supported"
  | "access_denied"
  | "login_required"
  | "consent_required"
  | "authorization_pending"
  | "slow_down"
  | "expired_token"
  | "temporarily_unavailable"
  | "server_error";

/** The message is for the developer of the client. It never contains a secret. */
export class OAuthFault extends Error {
  constructor(readonly code: OAuthErrorCode, message: string, readonly status = 400) {
    super(message);
    this.name = "OAuthFault";
  }
}
