// The channel between a duplex session and its client, which a transport provides, and the client's address.
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";

/**
 * Why the gateway closes a connection: it restarts, the connection's token has expired or was revoked, or the endpoint is disabled,
 * deleted or hidden from the caller.
 */
export type CloseReason = "restart" | "expired" | "gone";

/** The channel to the client. After its end both methods do nothing. */
export interface DuplexChannel {
  /** Sends one message, or the response to a batch, as JSON text. */
  send(text: string): void;
  close(why: CloseReason): void;
}

/** The caller and endpoint of a connection. */
export interface DuplexAddress {
  readonly principal: Principal;
  /** The virtual server in the path; null for the endpoint that shows everything. */
  readonly serverId: string | null;
  /** For the access log. */
  readonly endpoint: string;
  readonly path: string;
  /** The client's address, for the access log; undefined on stdio. */
  readonly client?: string;
}

/** The sender of a message: of this message where each is authenticated, else of the connection. */
export interface Sender {
  readonly principal: Principal;
  /** The caller that rate limits count each message for; undefined: not limited, or counted already. */
  readonly caller?: string;
  /** No HTTP request of its own brings the message, so that the limits of its token count it here. */
  readonly isUncounted?: true;
  readonly received: ReceivedHeaders;
}

/** What requests are answered while the channel closes for this reason. */
export const CLOSING: Readonly<Record<CloseReason, SluiceError>> = {
  restart: new SluiceError("SHUTTING_DOWN"),
  expired: new SluiceError("UNAUTHENTICATED", {
    reason: "the token has expired or was revoked, or the rights of its user have changed",
  }),
  gone: new SluiceError("NOT_FOUND", { what: "Server" }),
};
