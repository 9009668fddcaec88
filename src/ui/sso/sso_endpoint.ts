// Room `sso`: sign-in of people at identity providers, by ContextForge's paths. A browser gets pages, redirects and the session of the
// pages; a program gets JSON.
import type { LoginAttempts } from "../../auth/logins/login_attempts.ts";
import type { SingleSignOn } from "../../auth/sso/single_sign_on.ts";
import type { SetCookie } from "../../auth/sso/pending_login.ts";
import { SluiceError } from "../../base/errors.ts";
import { takesHtml } from "../../http/representation/accepted.ts";
import type { Endpoint, Exchange, FailedAnswer, ServedInfo } from "../../http/handler.ts";
import type { ReadBody } from "../../http/body.ts";
import { peerAddress } from "../../base/egress/trusted_proxies.ts";
import type { AuditTrail } from "../../store/audit/audit_trail.ts";
import { CORRELATION_HEADER, correlationIdOf } from "../../telemetry/call_note.ts";
import type { Page } from "../../admin/pages/html_page.ts";
import { userRead } from "../../admin/people/user_shapes.ts";
import { cookie, cookiesIn, PAGES_PATH, pagesScope, sessionCookie } from "../call/session_cookie.ts";
import { SSO_PATH } from "./sso_paths.ts";
import { ownPath, type PublicBase } from "./public_base.ts";

export interface SsoEndpointDeps {
  /** null: SSO_ENABLED=false. */
  readonly sso: SingleSignOn | null;
  readonly base: PublicBase;
  readonly attempts: LoginAttempts;
  readonly readForm: ReadBody;
  /** The address of the client, also behind trusted proxies. */
  readonly clientOf: (headers: Headers, info: ServedInfo) => string;
  /** null: AUDIT_TRAIL_ENABLED=false. */
  readonly auditTrail: AuditTrail | null;
  readonly now: () => Date;
}

/** Names in the audit trail and in the OpenAPI document. */
const OPERATIONS = {
  providers: "listSsoProviders",
  login: "startSsoLogin",
  callback: "finishSsoLogin",
  "backchannel-logout": "endSsoSession",
} as const;

type Action = keyof typeof OPERATIONS;

/** What a request asks for. */
interface Asked {
  readonly sso: SingleSignOn;
  readonly id: string;
  readonly base: string;
}

/** Providers send a few hundred characters. */
const MAX_TOKEN_CHARS = 16_384;

// Loaded on first use, as all pages.
const pages = () => import("./sso_pages.ts");

/** No answer of this endpoint may be kept: it has tokens, cookies, or is made for one request. */
const NO_STORE = { "cache-control": "no-store", vary: "Accept" };

export class SsoEndpoint implements Endpoint {
  readonly name = "sso";
  readonly speaks = "rest";
  readonly open = true;
  readonly #deps: SsoEndpointDeps;

  constructor(deps: SsoEndpointDeps) {
    this.#deps = deps;
  }

  async serve(exchange: Exchange): Promise<Response> {
    const { request, info } = exchange;
    const { sso, base } = this.#deps;
    const { action, id } = askedIn(exchange.path);
    if (sso === null) {
      throw new SluiceError("NOT_FOUND", { what: "Single sign-on is off (SSO_ENABLED): path" });
    }
    const allowed = action === "backchannel-logout" ? "POST" : "GET";
    if (request.method !== allowed) {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed });
    }
    if (action !== "providers") {
      const provider = sso.providers.find((each) => each.id === id);
      exchange.action = {
        operation: OPERATIONS[action],
        permission: null,
        isWrite: true,
        entity: provider === undefined ? null : { kind: "provider", id },
        fields: [],
      };
    }
    const asked: Asked = { sso, id, base: base.of(request, peerAddress(info)) };
    switch (action) {
      case "providers":
        return await this.#list(request, asked);
      case "login":
        return await this.#start(exchange, asked);
      case "callback":
        return await this.#finish(exchange, asked);
      case "backchannel-logout":
        return await this.#logOut(exchange, asked);
    }
  }

  /** A person gets a page that says what to do. */
  async failed({ request, reported }: FailedAnswer): Promise<Response | null> {
    if (!takesHtml(request.headers)) return null;
    const { error: { message, code, row }, correlationId } = reported;
    const { signInFailurePage } = await pages();
    const again = new URL(request.url).pathname.replace(/\/callback\//, "/login/");
    const isProvider = code !== "NOT_FOUND" && code !== "INVALID_REQUEST";
    const page = await signInFailurePage({ message, code, correlationId, again: isProvider ? again : null });
    return shown(page, row.http, { [CORRELATION_HEADER]: correlationId });
  }

  async #list(request: Request, { sso, base }: Asked): Promise<Response> {
    const { providers } = sso;
    if (takesHtml(request.headers)) {
      const { providersPage } = await pages();
      const path = prefixOf(base);
      return shown(
        await providersPage(
          providers.map(({ id, display_name }) => ({
            name: display_name,
            at: `${path}${SSO_PATH}login/${id}`,
          })),
        ),
        200,
      );
    }
    const listed = providers.map(({ id, display_name }) => ({ id, name: id, display_name }));
    return Response.json(listed, { headers: NO_STORE });
  }

  /** Keeps nothing, so that only the end counts as an attempt: a company's people may share an address. */
  async #start({ request }: Exchange, { sso, id, base }: Asked): Promise<Response> {
    const { searchParams: query } = new URL(request.url);
    const redirectUri = `${base}${SSO_PATH}callback/${id}`;
    const asked = query.get("redirect_uri");
    if (asked !== null && asked !== redirectUri && asked !== new URL(redirectUri).pathname) {
      throw new SluiceError("INVALID_REQUEST", {
        reason: `redirect_uri must be ${redirectUri}, or left out. \`next\` is the path to go to afterwards`,
      });
    }
    const next = ownPath(query.get("next") ?? prefixOf(base) + PAGES_PATH, base);
    if (next === null) {
      throw new SluiceError("INVALID_REQUEST", {
        reason: "`next` must be a path of this gateway, such as /docs",
      });
    }
    const { url, state, cookies } = await sso.start(id, {
      redirectUri,
      next,
      wantsToken: query.get("format") === "json",
      cookies: cookiesIn(request.headers),
    });
    const headers = withCookies(NO_STORE, cookies, base);
    if (!takesHtml(request.headers)) {
      return Response.json({ authorization_url: url.href, state }, { headers });
    }
    headers.set("location", url.href);
    headers.set("referrer-policy", "no-referrer");
    return new Response(null, { status: 302, headers });
  }

  async #finish(exchange: Exchange, { sso, id, base }: Asked): Promise<Response> {
    const { request, info } = exchange;
    await this.#requireAttempt(request, info);
    const { searchParams } = new URL(request.url);
    const signedIn = await sso.finish(id, searchParams, cookiesIn(request.headers));
    await this.#record(exchange, "callback", signedIn.login.user.email);
    const { login: { user, token, expiresInSeconds }, pending, provider, cookies } = signedIn;
    const headers = withCookies(NO_STORE, cookies, base);
    if (pending.wantsToken || !takesHtml(request.headers)) {
      return Response.json({
        access_token: token,
        token_type: "bearer",
        expires_in: expiresInSeconds,
        user: { ...userRead(user, this.#deps.now()), auth_provider: provider.id },
      }, { headers });
    }
    const session = { token, maxAgeSeconds: expiresInSeconds };
    headers.append(
      "set-cookie",
      sessionCookie(session, pagesScope(prefixOf(base), isHttps(base))),
    );
    headers.set("location", pending.next);
    headers.set("referrer-policy", "no-referrer");
    return new Response(null, { status: 303, headers });
  }

  /** A request of the provider itself (OpenID Connect Back-Channel Logout 1.0, section 2.5). */
  async #logOut(exchange: Exchange, { sso, id }: Asked): Promise<Response> {
    const token = new URLSearchParams(await this.#deps.readForm(exchange.request, exchange)).get(
      "logout_token",
    );
    const refuse = (description: string) =>
      Response.json({ error: "invalid_request", error_description: description }, {
        status: 400,
        headers: NO_STORE,
      });
    if (token === null || token.length > MAX_TOKEN_CHARS) {
      return refuse(`send logout_token, of at most ${MAX_TOKEN_CHARS} characters`);
    }
    try {
      await sso.backchannelLogout(id, token);
      await this.#record(exchange, "backchannel-logout", null);
    } catch (error) {
      if (error instanceof SluiceError && error.code === "SSO_REFUSED") return refuse(error.message);
      throw error;
    }
    return new Response(null, { status: 200, headers: NO_STORE });
  }

  async #requireAttempt(request: Request, info: ServedInfo): Promise<void> {
    await this.#deps.attempts.require([`address:${this.#deps.clientOf(request.headers, info)}`]);
  }

  /** @param email of who signs in; null: the provider asks, and names nobody's token */
  async #record(
    { request, info, note, action }: Exchange,
    done: "callback" | "backchannel-logout",
    email: string | null,
  ): Promise<void> {
    const { auditTrail, now, clientOf } = this.#deps;
    await auditTrail?.record({
      ...{ at: now().toISOString(), outcome: "done", status: 200, code: null },
      ...{ operation: OPERATIONS[done], method: request.method, endpoint: this.name, permission: null },
      entity: action?.entity ?? null,
      actor: email === null ? null : { subject: email, email, tokenId: null },
      address: clientOf(request.headers, info),
      correlationId: note?.correlationId ?? correlationIdOf(request.headers),
      ...{ count: 1, fields: [], changes: {} },
    });
  }
}

/** @throws {SluiceError} NOT_FOUND */
function askedIn(path: string): { action: Action; id: string } {
  const [action, id = "", ...rest] = path.replace(/^\/v1(?=\/)/, "").slice(SSO_PATH.length).split("/");
  const isKnown = Object.hasOwn(OPERATIONS, action) && rest.length === 0 &&
    (action === "providers") === (id === "");
  if (!isKnown) throw new SluiceError("NOT_FOUND", { what: "Path" });
  return { action: action as Action, id };
}

/** The path below which the gateway is published; empty: none. */
function prefixOf(base: string): string {
  return new URL(base).pathname.replace(/\/$/, "");
}

function isHttps(base: string): boolean {
  return base.startsWith("https:");
}

function withCookies(plain: Record<string, string>, cookies: readonly SetCookie[], base: string): Headers {
  const headers = new Headers(plain);
  const scope = { path: `${prefixOf(base)}${SSO_PATH}`, isSecure: isHttps(base) };
  for (const { name, value, maxAgeS } of cookies) {
    headers.append("set-cookie", cookie(name, value, maxAgeS, scope));
  }
  return headers;
}

function shown({ text, headers }: Page, status: number, more: Record<string, string> = {}): Response {
  return new Response(text, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", ...NO_STORE, ...headers, ...more },
  });
}
