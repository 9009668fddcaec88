// Room `call`: what a page is given and what it answers. A page is a function of a request by a signed-in user; it reads and writes
// through the REST API as that user, so that whatever a page can do, a script can do with the same permissions.
import type { HtmlEscapedString } from "hono/utils/html";
import type { ConsentOutcome, Decision, Review } from "../../auth/oauth/consents.ts";
import type { DeviceRequest } from "../../auth/oauth/device_logins.ts";
import type { Permission } from "../../auth/permission_table.ts";
import type { Figures } from "./live_figures.ts";
import type { Rest } from "./rest.ts";

/** What a JSX expression gives. */
export type Markup = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Who looks at the page. */
export interface Viewer {
  readonly email: string;
  /** false: AUTH_REQUIRED=false, and nobody has signed in. */
  readonly isSignedIn: boolean;
  readonly isAdmin: boolean;
  /** The viewer has signed in with a password or at an identity provider, and with no pasted token. */
  readonly isLogin: boolean;
  /** Has the viewer this permission for something? */
  readonly can: (permission: Permission) => boolean;
}

export type RpcOutcome =
  | { readonly result: Readonly<Record<string, unknown>> }
  | { readonly error: { readonly message: string; readonly correlationId?: string } };

export interface PageCall {
  /** The decoded values of the path's `{names}`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The last event that the browser has of a stream that it opens again; null: the stream is new. */
  readonly lastEventId: string | null;
  readonly viewer: Viewer;
  /** The REST API as the viewer. */
  readonly rest: Rest;
  /**
   * A request to `/rpc` as the viewer.
   * @returns the result, or the words of the error
   */
  readonly rpc: (method: string, params: unknown) => Promise<RpcOutcome>;
  /** What this replica does now; null: the viewer may not read metrics. */
  readonly figures: () => Promise<Figures | null>;
  /** The fields of a sent form. @throws {SluiceError} what `ReadBody` throws */
  readonly form: () => Promise<URLSearchParams>;
  /** Whether a pasted token signs in, and for how long. */
  readonly checkToken: (
    token: string,
  ) => Promise<{ readonly maxAgeSeconds: number } | { readonly reason: string }>;
  /** Authorization requests of OAuth clients, before the viewer. */
  readonly authorization: {
    /** @param query of the request. @throws {SluiceError} UNAUTHENTICATED, FORBIDDEN, INVALID_REQUEST, NOT_FOUND */
    readonly review: (query: URLSearchParams) => Promise<Review>;
    /** @returns where the browser goes. @throws {SluiceError} as `review()`; CONFLICT */
    readonly decide: (query: URLSearchParams, decision: Decision) => Promise<string>;
    /** @param code as the viewer has typed it. @throws {SluiceError} UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, OAUTH_LIMITED */
    readonly reviewDevice: (code: string) => Promise<DeviceRequest>;
    /** @throws {SluiceError} as `reviewDevice()`; CONFLICT */
    readonly decideDevice: (code: string, decision: Decision) => Promise<ConsentOutcome>;
  };
  /** Logins of the viewer at upstreams. */
  readonly logins: {
    /** @returns where the browser goes, and the cookie that binds the login to it. @throws {SluiceError} NOT_FOUND, FORBIDDEN, UPSTREAM_LOGIN_FAILED */
    readonly begin: (gatewayId: string) => Promise<{ readonly url: string; readonly cookie: string }>;
    /**
     * Ends the login that the browser comes back from.
     * @param client the last segment of the redirect URI; null: that of a given client
     * @returns the cookie to forget
     * @throws {SluiceError} as `begin()`
     */
    readonly finish: (gatewayId: string, client: string | null) => Promise<{ readonly cookie: string }>;
    /** Where the authorization server of a given client sends the browser back to. */
    readonly redirectUri: (gatewayId: string) => string;
  };
  /** Can clients that have no token log in here? */
  readonly takesLogins: boolean;
  /** Identity providers where people sign in, each with the path where that starts. */
  readonly providers: readonly { readonly name: string; readonly path: string }[];
  readonly hasUsers: boolean;
  /** Do users get a link by mail when they have forgotten their password? */
  readonly sendsPasswordMail: boolean;
  /** What clients of this gateway put before its paths: `https://gateway.example/prefix`. */
  readonly origin: string;
}

/** A page, or with `isPart` the part of it that a script replaces. */
export interface View {
  readonly title: string;
  readonly body: Markup;
  /** Default: 200. */
  readonly status?: number;
  readonly isPart?: boolean;
  /** It shows what happens now, and is never kept. */
  readonly isLive?: boolean;
  /** Set-Cookie headers. */
  readonly cookies?: readonly string[];
  /** The session ends with this page. */
  readonly endsSession?: true;
  /** Where the browser goes on to, at once; another site's address is one that the gateway itself has made. */
  readonly goesTo?: string;
  /** Without navigation: the viewer has one thing to decide. */
  readonly isAlone?: boolean;
  /** Where else than to the gateway a form of the page may lead, as a source of a Content Security Policy. */
  readonly formTarget?: string;
}

/** What the next page says first: that something was done. */
export interface Notice {
  readonly text: string;
  /** What was asked for was not done. */
  readonly isFailure?: boolean;
  /** A change that a button takes back: a form that is sent to `path`. */
  readonly undo?: { readonly path: string; readonly fields: FormFields };
}

/** The fields of a form by name; several values of a name are sent one after the other. */
export type FormFields = Readonly<Record<string, string | readonly string[]>>;

export interface Redirect {
  /** Relative to `/admin/`; empty: the overview. */
  readonly to: string;
  readonly notice?: Notice;
  /** Set-Cookie headers. */
  readonly cookies?: readonly string[];
  /** A new session's token, or null to end the session. */
  readonly session?: { readonly token: string; readonly maxAgeSeconds: number } | null;
}

/** An event stream whose data are parts of a page. */
export interface EventsView {
  readonly events: ReadableStream<Uint8Array>;
}

/** The browser leaves the gateway. */
export interface Departure {
  /** An absolute address. */
  readonly leavesTo: string;
}

export type PageAnswer = View | Redirect | EventsView | Departure;

export type PageHandler = (call: PageCall) => Promise<PageAnswer>;

export function isEvents(answer: PageAnswer): answer is EventsView {
  return "events" in answer;
}

export function isRedirect(answer: PageAnswer): answer is Redirect {
  return "to" in answer;
}

export function isDeparture(answer: PageAnswer): answer is Departure {
  return "leavesTo" in answer;
}
