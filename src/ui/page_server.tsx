// Renders pages: asks the handler, puts the frame around what it answers, and sets the headers that let a page load nothing foreign.
import type { Principal } from "../auth/principal.ts";
import { holds } from "../auth/rbac.ts";
import { SluiceError } from "../base/errors.ts";
import { operatorText } from "../base/seen_answer.ts";
import { gzipped, takesGzip } from "../http/representation/accepted.ts";
import type { ReportedError } from "../http/error_response.ts";
import type { Exchange } from "../http/handler.ts";
import { CORRELATION_HEADER, correlationIdOf } from "../telemetry/call_note.ts";
import { type Assets, loadAssets } from "./call/assets.ts";
import {
  isEvents,
  isRedirect,
  type Markup,
  type Notice,
  type PageCall,
  type Redirect,
  type RpcOutcome,
  type View,
  type Viewer,
} from "./call/page_call.ts";
import { type Method, Rest } from "./call/rest.ts";
import { SSO_PATH } from "./sso/sso_paths.ts";
import { noticeCookie, noticeIn, PAGES_PATH, pagesScope, sessionCookie } from "./call/session_cookie.ts";
import { CorrelationId } from "./parts/page_parts.tsx";
import { Frame } from "./parts/frame.tsx";
import type { PageRoute } from "./page_routes.ts";
import type { Place, UiDeps } from "./call/ui_deps.ts";

let assets: Promise<Assets> | undefined;

export async function answerAsset(request: Request, name: string): Promise<Response> {
  const answer = (await (assets ??= loadAssets())).answer(name, request);
  if (answer === null) throw new SluiceError("NOT_FOUND", { what: "Path" });
  return answer;
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
  const viewer = viewerOf(principal);
  const call = callOf(deps, asked, viewer);
  const answer = await deps.turns.run(principal, () => route.handler(call));
  if (isRedirect(answer)) return redirect(answer, place);
  if (isEvents(answer)) {
    exchange.isStream = true;
    return new Response(answer.events, { headers: STREAM_HEADERS });
  }
  return await rendered(request, answer, { path, place, viewer: route.isOpen ? null : viewer });
}

function callOf(deps: UiDeps, { exchange, params, place }: AskedPage, viewer: Viewer): PageCall {
  const { request, info } = exchange;
  const { prefix, host, isSecure } = place;
  return {
    params,
    query: new URL(request.url).searchParams,
    lastEventId: request.headers.get("last-event-id"),
    viewer,
    rest: new Rest(
      (method, path, body) => askRest(deps, exchange, { method, path, body }),
      (error) =>
        deps.auditFailure?.(
          { request, info, endpoint: "ui", exchange, principal: exchange.principal },
          { error, correlationId: correlationOf(exchange) },
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
    providers: deps.providers.map(({ id, display_name }) => ({
      name: display_name,
      path: `${prefix}${SSO_PATH}login/${id}`,
    })),
    origin: `${isSecure ? "https" : "http"}://${host}${prefix}`,
  };
}

/** A browser forgets a token that never expires after this time. */
const LONGEST_SESSION_S = 7 * 24 * 3600;

async function askRest(
  { api, clientOf }: UiDeps,
  exchange: Exchange,
  { method, path, body }: { readonly method: Method; readonly path: string; readonly body: unknown },
): Promise<unknown> {
  const { request, principal, info } = exchange;
  const [pathname, search] = path.split("?");
  const action = api.actionOf(method, pathname!);
  // Where the page fails with the write, the record says which one it was.
  if (action?.isWrite) exchange.action = action;
  const { body: answer } = await api.admit({
    ...{ method, principal, action, path: pathname!, query: new URLSearchParams(search) },
    client: clientOf(request.headers, info),
    body: () => Promise.resolve(body),
    text: () => Promise.resolve(body === undefined ? "" : JSON.stringify(body)),
    signal: request.signal,
    correlationId: correlationOf(exchange),
  }).answer();
  return answer;
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
  const { email, kind, isAdmin } = principal;
  return {
    email,
    isAdmin,
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

/** Whoever is not signed in is asked to; other failures are a page with the error's words. */
export async function answerFailure(failed: FailedRequest): Promise<Response> {
  const { request, path, place, principal, reported: { error, correlationId } } = failed;
  const isPart = request.headers.has("hx-request");
  if (error.code === "UNAUTHENTICATED" && !isPart) {
    const { search } = new URL(request.url);
    const next = request.method === "GET" ? path + search : "";
    return redirect({ to: next === "" ? "sign-in" : `sign-in?next=${encodeURIComponent(next)}` }, place);
  }
  const viewer = principal === null || principal.kind === "anonymous" ? null : viewerOf(principal);
  const view: View = {
    title: TITLES[error.code] ?? "That did not work",
    status: error.row.http,
    isPart,
    body: (
      <FailureBox
        {...{ error, correlationId, isPart }}
        hasLog={viewer?.can("admin.system_config") === true}
      />
    ),
  };
  const response = await rendered(request, view, { path, place, viewer });
  response.headers.set(CORRELATION_HEADER, correlationId);
  return response;
}

const TITLES: Readonly<Partial<Record<string, string>>> = {
  NOT_FOUND: "There is no such page",
  FORBIDDEN: "You may not do this",
  RATE_LIMITED: "Too many requests",
};

function FailureBox({ error, correlationId, isPart, hasLog }: {
  readonly error: SluiceError;
  readonly correlationId: string;
  readonly isPart: boolean;
  /** May the viewer read the log? */
  readonly hasLog: boolean;
}) {
  const text = error.code === "INTERNAL"
    ? "The gateway has a fault. Its log has the cause."
    : operatorText(error);
  return (
    <>
      {!isPart && <h1>{TITLES[error.code] ?? "That did not work"}</h1>}
      <p>{text}</p>
      <p class="soft small">
        Correlation id: <CorrelationId id={correlationId} hasLog={hasLog} />
      </p>
      {!isPart && (
        <p>
          <a href="">To the overview</a>
        </p>
      )}
    </>
  );
}

function redirect({ to, notice, session }: Redirect, place: Place): Response {
  const scope = pagesScope(place.prefix, place.isSecure);
  const headers = new Headers({
    location: to === "" ? scope.path : `${scope.path}/${to}`,
    "cache-control": "no-store",
  });
  if (session !== undefined) headers.append("set-cookie", sessionCookie(session, scope));
  if (notice !== undefined) headers.append("set-cookie", noticeCookie(notice, scope));
  return new Response(null, { status: 303, headers });
}

interface Around {
  readonly path: string;
  readonly place: Place;
  /** null: the page has no navigation. */
  readonly viewer: Viewer | null;
}

async function rendered(request: Request, view: View, { path, place, viewer }: Around): Promise<Response> {
  const scope = pagesScope(place.prefix, place.isSecure);
  const nonce = crypto.getRandomValues(new Uint8Array(16)).toBase64();
  const headers = new Headers({
    ...HEADERS,
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policyWith(nonce),
  });
  const notice = view.isPart ? null : noticeIn(request.headers);
  if (notice !== null) headers.append("set-cookie", noticeCookie(null, scope));
  const text = view.isPart
    ? await textOf(view.body)
    : `<!doctype html>${await framed(view.body, { title: view.title, path, place, viewer, notice, nonce })}`;
  const bytes = new TextEncoder().encode(text);
  const isZipped = bytes.length > MIN_ZIPPED_BYTES && takesGzip(request);
  if (isZipped) headers.set("content-encoding", "gzip");
  return new Response(isZipped ? await gzipped(bytes) : bytes, { status: view.status ?? 200, headers });
}

/** Below this a compressed page saves no packet. */
const MIN_ZIPPED_BYTES = 1_200;

async function framed(
  body: Markup,
  { title, path, place, viewer, notice, nonce }: Around & {
    readonly title: string;
    readonly notice: Notice | null;
    readonly nonce: string;
  },
): Promise<string> {
  const { stylePath, scriptPaths } = await (assets ??= loadAssets());
  const base = `${place.prefix}${PAGES_PATH}/`;
  return await textOf(
    <Frame {...{ base, title, path, viewer, notice, nonce, stylePath, scriptPaths }}>{body}</Frame>,
  );
}

async function textOf(element: Markup): Promise<string> {
  return String(await element);
}

const HEADERS = {
  "cache-control": "no-store",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
  vary: "Accept-Encoding, Cookie",
};

const STREAM_HEADERS = {
  ...HEADERS,
  "content-type": "text/event-stream",
  // Proxies pass each event on at once.
  "x-accel-buffering": "no",
};

/** Scripts and styles are ours alone; a page loads nothing from elsewhere, and no other page may frame it. */
function policyWith(nonce: string): string {
  return `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; img-src data:; media-src data:; ` +
    "connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'";
}
