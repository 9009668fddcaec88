// What the pages need of the rest of the program, and where a browser sees them.
import type { Connecting } from "../../admin/connections/connecting.ts";
import type { AdminApi } from "../../admin/router.ts";
import type { AuthorizationServer } from "../../auth/oauth/authorization_server.ts";
import type { ConsentOutcome } from "../../auth/oauth/consents.ts";
import type { Principal } from "../../auth/principal.ts";
import type { TrustedProxies } from "../../base/egress/trusted_proxies.ts";
import type { CallerTurns } from "../../base/sharing/caller_turns.ts";
import type { ReadBody } from "../../http/body.ts";
import type { ReportedError } from "../../http/error_response.ts";
import type { Endpoint, Exchange, FailedRequest, ServedInfo } from "../../http/handler.ts";
import type { ResponseCache } from "../../http/representation/response_cache.ts";
import type { LiveFigures } from "./live_figures.ts";
import type { SharedReads } from "./shared_reads.ts";

export interface UiDeps {
  readonly api: AdminApi;
  /** Endpoints of the REST API below /admin, whose paths a page may share. */
  readonly rest: (path: string) => Endpoint | null;
  /** The endpoint of `/rpc`. */
  readonly rpc: Endpoint;
  readonly live: LiveFigures;
  readonly shared: SharedReads;
  readonly readForm: ReadBody;
  /** Notes the failure of a write; null: nothing is recorded. */
  readonly auditFailure: ((failed: FailedRequest, reported: ReportedError) => void) | null;
  readonly turns: CallerTurns;
  /** Where pages are kept, and for how long; null: nowhere. */
  readonly cache: { readonly pages: ResponseCache; readonly freshMs: number } | null;
  /** @throws {SluiceError} UNAUTHENTICATED */
  readonly authenticate: (authorization: string | null) => Principal | Promise<Principal>;
  readonly oauth: AuthorizationServer;
  /** Records what a user has decided about an OAuth client. */
  readonly auditConsent: (exchange: Exchange, outcome: ConsentOutcome) => Promise<void>;
  /** Logins of people at upstreams. */
  readonly connecting: Connecting;
  /** Records that the viewer has logged in at an upstream. */
  readonly auditConnection: (exchange: Exchange) => Promise<void>;
  /** The gateway's address is configured, so that others can rely on its metadata as a client. */
  readonly clientMetadataIsStable: boolean;
  /** The gateway's address as browsers see it. @throws {SluiceError} INVALID_REQUEST */
  readonly baseOf: (request: Request, from: string) => string;
  /** Identity providers where people sign in. */
  readonly providers: readonly { readonly id: string; readonly display_name: string }[];
  readonly hasUsers: () => boolean;
  /** Do users get a link by mail when they have forgotten their password? */
  readonly sendsPasswordMail: boolean;
  /** The address of the client, also behind trusted proxies. */
  readonly clientOf: (headers: Headers, info: ServedInfo) => string;
  readonly trustedProxies: TrustedProxies;
  /** The path below which a reverse proxy publishes the gateway; null: none. */
  readonly prefixOf: (headers: Headers, from: string) => string | null;
}

/** Where the browser sees the gateway. */
export interface Place {
  /** Empty, or `/prefix`. */
  readonly prefix: string;
  readonly isSecure: boolean;
  /** With the port, as the browser wrote it. */
  readonly host: string;
}
