// Renders pages: asks the handler, puts the frame around what it answers, and sets the headers that let a page load nothing foreign.
import type { Principal } from "../auth/principal.ts";
import { holds } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import { callerKey } from "../base/sharing/caller_identity.ts";
import { type Coding, codingFor, VARIES } from "../http/representation/accepted.ts";
import { compressed } from "../http/representation/compressed.ts";
import {
  type CacheStatus,
  type Made,
  type Representation,
  statusHeader,
} from "../http/representation/response_cache.ts";
import type { ReportedError } from "../http/error_response.ts";
import type { Exchange } from "../http/handler.ts";
import { CORRELATION_HEADER, correlationIdOf } from "../telemetry/call_note.ts";
import { type Assets, loadAssets, type Script } from "./call/assets.ts";
import {
  isDeparture,
  isEvents,
  isRedirect,
  type Markup,
  type Notice,
  type PageAnswer,
  type PageCall,
  type Redirect,
  type RpcOutcome,
  type View,
  type Viewer,
} from "./call/page_call.ts";
import { numberOf } from "./call/principal_numbers.ts";
import { type Method, Rest } from "./call/rest.ts";
import { loginsOf } from "./connections/page_logins.ts";
import { authorizationOf, departure } from "./oauth/page_authorization.ts";
import { SSO_PATH } from "./sso/sso_paths.ts";
import { noticeCookie, noticeIn, PAGES_PATH, pagesScope, sessionCookie } from "./call/session_cookie.ts";
import { failureView } from "./parts/failure_view.tsx";
import { Frame } from "./parts/frame.tsx";
import type { PageRoute } from "./page_routes.ts";
import { withoutSession } from "./start/signed_out_page.tsx";
import type { Place, UiDeps } from "./call/ui_deps.ts";

let assets: Promise<Assets> | undefined;

export async function answerAsset(request: Request, name: string): Promise<Response> {
  return await (await (assets ??= loadAssets())).answer(name, request);
}

export interface AskedPage {
  readonly exchange: Exchange;
  readonly route: PageRoute;
  readonly params: Readonly<Record<string, string>>;
  /** Relative to `/admin/`. */
  readonly path: string;
  readonly place: Place;
}

export async function answerPage(deps: UiDeps, asked: AskedPage): Promise<Response> {
  const { exchange, route, path, place } = asked;
  const { request, principal } = exchange;
  const { cache } = deps;
  const viewer = viewerOf(principal);
  const notice = noticeIn(request.headers);
  const isShared = route.freshness === "seconds" && cache !== null && notice === null;
  const call = callOf(deps, asked, viewer, isShared ? new AbortController().signal : request.signal);
  const coding = request.method === "POST" ? null : codingFor(request.headers);
  const ask = () => deps.turns.run(principal, () => route.handler(call));
  const around = { path, place, viewer: route.isOpen ? null : viewer, notice };
  if (!isShared) {
    const answer = await ask();
    if (!isView(answer)) return withoutPage(answer, exchange, place);
    const page = await rendered(
      answer,
      answer.endsSession || answer.isAlone ? { ...around, viewer: null } : around,
      coding,
    );
    const { status, formTarget } = answer;
    const shown = { path, notice, status, formTarget, cacheStatus: "BYPASS" } as const;
    const response = await pageResponse(page, place, shown);
    answer.cookies?.forEach((cookie) => response.headers.append("set-cookie", cookie));
    if (answer.endsSession) {
      response.headers.append("set-cookie", sessionCookie(null, pagesScope(place.prefix, place.isSecure)));
    }
    return response;
  }
  const { search } = new URL(request.url);
  const { representation, status: cacheStatus } = await cache.pages.answer({
    // A page depends on who asks for it, on nothing of the request's headers but the place and the coding, and on the data.
    key: `page ${coding} ${
      numberOf(principal)
    } ${place.isSecure} ${place.host}${place.prefix} ${path}${search}`,
    caller: callerKey(principal),
    freshMs: cache.freshMs,
    make: async () => await madePage(await ask(), around, coding),
  });
  const { instead, status } = representation;
  if (instead !== undefined) return withoutPage(instead, exchange, place);
  return await pageResponse(representation, place, { path, notice, status, cacheStatus });
}

type WithoutPage = Exclude<PageAnswer, View>;

function isView(answer: PageAnswer): answer is View {
  return !isRedirect(answer) && !isEvents(answer) && !isDeparture(answer);
}

function withoutPage(answer: WithoutPage, exchange: Exchange, place: Place): Response {
  if (isRedirect(answer)) return redirect(answer, place);
  if (isDeparture(answer)) return departure(answer);
  exchange.isStream = true;
  return new Response(answer.events, { headers: STREAM_HEADERS });
}

/** A page that may be kept. */
interface Page extends Representation {
  readonly status?: number;
  /** There is no page. */
  readonly instead?: WithoutPage;
}

async function madePage(answer: PageAnswer, around: Around, coding: Coding | null): Promise<Made<Page>> {
  if (!isView(answer)) {
    return { representation: { bytes: new Uint8Array(), coding: null, instead: answer }, isKept: false };
  }
  const page = await rendered(answer, around, coding);
  const { status, isLive } = answer;
  return { representation: { ...page, status }, isKept: status === undefined && !isLive };
}

/** @param signal ends the work for the page */
function callOf(
  deps: UiDeps,
  { exchange, params, place }: AskedPage,
  viewer: Viewer,
  signal: AbortSignal,
): PageCall {
  const { request, info } = exchange;
  const { prefix, host, isSecure } = place;
  // Read now: a page that is made for later requests may outlive the request.
  const correlationId = correlationOf(exchange);
  const client = deps.clientOf(request.headers, info);
  return {
    params,
    query: new URL(request.url).searchParams,
    lastEventId: request.headers.get("last-event-id"),
    viewer,
    rest: new Rest(
      (method, path, body) => askRest(deps, exchange, { method, path, body, correlationId, client, signal }),
      (error) =>
        deps.auditFailure?.(
          { request, info, endpoint: "ui", exchange, principal: exchange.principal },
          { error, correlationId },
        ),
    ),
    rpc: (method, params) => askRpc(deps, exchange, { jsonrpc: "2.0", id: 1, method, params }),
    figures: async () => viewer.can("admin.metrics") ? await deps.live.figures() : null,
    form: async () =>
      new URLSearchParams(await deps.readForm(request, { principal: exchange.principal, info })),
    checkToken: async (token) => {
      try {
        const found = await deps.authenticate(`Bearer ${token}`);
        if (found.kind === "anonymous") return { reason: "it is not a token of this gateway" };
        const seconds = found.expiresAt === null ? LONGEST_SESSION_S : (found.expiresAt - Date.now()) / 1000;
        return { maxAgeSeconds: Math.floor(Math.min(seconds, LONGEST_SESSION_S)) };
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== "UNAUTHENTICATED") throw error;
        return { reason: String(error.params.reason) };
      }
    },
    authorization: authorizationOf(deps, exchange),
    logins: loginsOf(deps, exchange, place),
    takesLogins: deps.oauth.isOn,
    providers: deps.providers.map(({ id, display_name }) => ({
      name: display_name,
      path: `${prefix}${SSO_PATH}login/${id}`,
    })),
    hasUsers: deps.hasUsers(),
    sendsPasswordMail: deps.sendsPasswordMail,
    origin: `${isSecure ? "https" : "http"}://${host}${prefix}`,
  };
}

/** A browser forgets a token that never expires after this time. */
const LONGEST_SESSION_S = 7 * 24 * 3600;

async function askRest(
  { api, shared }: UiDeps,
  exchange: Exchange,
  { method, path, body, ...from }: {
    readonly method: Method;
    readonly path: string;
    readonly body: unknown;
    readonly correlationId: string;
    readonly client: string;
    readonly signal: AbortSignal;
  },
): Promise<unknown> {
  const { principal } = exchange;
  const [pathname, search] = path.split("?");
  const action = api.actionOf(method, pathname!);
  // Where the page fails with the write, the record says which one it was.
  if (action?.isWrite) exchange.action = action;
  const admitted = api.admit({
    ...{ method, principal, action, path: pathname!, query: new URLSearchParams(search) },
    body: () => Promise.resolve(body),
    text: () => Promise.resolve(body === undefined ? "" : JSON.stringify(body)),
    ...from,
  });
  const answer = async () => (await admitted.answer()).body;
  return admitted.route.isCallerless ? await shared.read(path, answer) : await answer();
}

function correlationOf({ note, request }: Exchange): string {
  return note?.correlationId ?? correlationIdOf(request.headers);
}

async function askRpc({ rpc }: UiDeps, exchange: Exchange, message: unknown): Promise<RpcOutcome> {
  const request = new Request(new URL("/rpc", exchange.request.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(message),
    signal: exchange.request.signal,
  });
  const response = await rpc.serve({ ...exchange, request, path: "/rpc" });
  const { result, error } = await response.json();
  if (error === undefined) return { result };
  return { error: { message: error.message, correlationId: error.data?.correlationId } };
}

function viewerOf(principal: Principal): Viewer {
  const { email, isAdmin, kind, isLogin } = principal;
  return {
    ...{ email, isAdmin, isLogin },
    isSignedIn: kind !== "anonymous",
    can: (permission) => holds(principal, permission),
  };
}

export interface FailedRequest {
  readonly request: Request;
  readonly path: string;
  readonly place: Place;
  readonly principal: Principal | null;
  readonly reported: ReportedError;
}

/** A viewer who is not signed in gets the sign-in page. Another failure is a page with the error's words. */
export async function answerFailure(failed: FailedRequest): Promise<Response> {
  const { request, path, place, principal, reported } = failed;
  const { error, correlationId } = reported;
  const isPart = request.headers.has("hx-request");
  const viewer = principal === null || principal.kind === "anonymous" ? null : viewerOf(principal);
  const hasLog = viewer?.can("admin.system_config") === true;
  const view = error.code === "UNAUTHENTICATED" && !isPart
    ? withoutSession(request, path)
    : failureView(reported, { path, isPart, hasLog });
  if (isRedirect(view)) return redirect(view, place);
  const notice = noticeIn(request.headers);
  const page = await rendered(view, { path, place, viewer, notice }, null);
  const shown = { path, notice, status: view.status, cacheStatus: "BYPASS" } as const;
  const response = await pageResponse(page, place, shown);
  response.headers.set(CORRELATION_HEADER, correlationId);
  return response;
}

function redirect({ to, notice, session, cookies }: Redirect, place: Place): Response {
  const scope = pagesScope(place.prefix, place.isSecure);
  const headers = new Headers({
    location: to === "" ? scope.path : `${scope.path}/${to}`,
    "cache-control": "no-store",
  });
  cookies?.forEach((cookie) => headers.append("set-cookie", cookie));
  if (session !== undefined) headers.append("set-cookie", sessionCookie(session, scope));
  if (notice !== undefined) headers.append("set-cookie", noticeCookie(notice, scope));
  return new Response(null, { status: 303, headers });
}

interface Around {
  readonly path: string;
  readonly place: Place;
  /** null: the page has no navigation. */
  readonly viewer: Viewer | null;
  readonly notice: Notice | null;
}

async function rendered(view: View, around: Around, coding: Coding | null): Promise<Representation> {
  const text = view.isPart ? await textOf(view.body) : `<!doctype html>${await framed(view, around)}`;
  return await compressed(new TextEncoder().encode(text), coding);
}

async function framed(
  { body, title, goesTo }: View,
  { path, place, viewer, notice }: Around,
): Promise<string> {
  const { theme, stylePath, scripts } = await (assets ??= loadAssets());
  const base = `${place.prefix}${PAGES_PATH}/`;
  return await textOf(
    <Frame {...{ base, title, path, viewer, notice, theme, stylePath, scripts, goesTo }}>{body}</Frame>,
  );
}

async function textOf(element: Markup): Promise<string> {
  return String(await element);
}

async function pageResponse(
  { bytes, coding }: Representation,
  { prefix, isSecure }: Place,
  { path, notice, status = 200, formTarget, cacheStatus }: {
    readonly path: string;
    /** The notice that the page has shown. */
    readonly notice: Notice | null;
    readonly status: number | undefined;
    readonly formTarget?: string;
    readonly cacheStatus: CacheStatus | "BYPASS";
  },
): Promise<Response> {
  const { theme, scripts } = await (assets ??= loadAssets());
  const headers = new Headers({
    ...HEADERS,
    ...statusHeader(cacheStatus),
    "cross-origin-opener-policy": LEAD_TO_CLIENTS.has(path) ? "unsafe-none" : "same-origin",
    "content-security-policy": policyFor([theme, ...scripts], formTarget),
  });
  if (coding !== null) headers.set("content-encoding", coding);
  if (notice !== null) headers.append("set-cookie", noticeCookie(null, pagesScope(prefix, isSecure)));
  return new Response(bytes, { status, headers });
}

// An OAuth client on a web site opens these in a window, which then tells the site's page how the login went. `same-origin` would part
// them for good.
const LEAD_TO_CLIENTS: ReadonlySet<string> = new Set(["authorize", "sign-in", "change-password"]);

/** Browsers keep no page: after a sign-out the next user of a browser finds none. */
const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "private, no-store",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  vary: VARIES,
};

const STREAM_HEADERS = {
  ...HEADERS,
  "content-type": "text/event-stream",
  // Proxies pass each event on at once.
  "x-accel-buffering": "no",
};

/**
 * Scripts are ours alone, known by their hashes (CSP level 3, section 8.4). A nonce would differ in every response, so that no response
 * could be kept. A page loads nothing from elsewhere, and no other page may frame it.
 */
function policyFor(scripts: readonly Pick<Script, "integrity">[], formTarget = ""): string {
  const hashes = scripts.map(({ integrity }) => `'${integrity}'`).join(" ");
  return `default-src 'none'; script-src ${hashes}; style-src 'self'; img-src data:; media-src data:; ` +
    `connect-src 'self'; form-action 'self' ${formTarget}; base-uri 'self'; frame-ancestors 'none'`;
}
