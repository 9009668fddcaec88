// The edge of a worker, for all endpoints. This folder holds what happens to an HTTP request before and after its endpoint: admission,
// origin check, authentication, rate limits, access log, error responses. It knows no MCP method and no REST resource.
//
// This file is the way through it: route, admit, check the origin, authenticate, count, serve. Failures become responses here only.
import type { Callers } from "../auth/callers.ts";
import type { Caller } from "../base/sharing/caller.ts";
import type { TokenGate } from "../auth/api_tokens/token_gate.ts";
import type { Principal } from "../auth/principal.ts";
import { peerAddress } from "../base/egress/trusted_proxies.ts";
import { type ErrorCode, SluiceError, toSluiceError } from "../base/errors.ts";
import type { AuditAction } from "../store/audit/audit_record.ts";
import {
  type CallNote,
  CORRELATION_HEADER,
  correlationIdFrom,
  correlationIdOf,
  noteCaller,
} from "../telemetry/call_note.ts";
import type { AnswerMeter } from "../telemetry/answer_meter.ts";
import type { Span } from "../telemetry/traces/span.ts";
import type { Tracer } from "../telemetry/traces/tracer.ts";
import type { AccessLog } from "./access_log.ts";
import { type Admission, REFUSED } from "./limits/admission.ts";
import type { Cors } from "./cors.ts";
import { EdgeSubject, endWithStream, failureOf } from "./edge_span.ts";
import {
  type ErrorReporter,
  type ReportedError,
  restErrorResponse,
  rpcErrorResponse,
} from "./error_response.ts";
import type { OriginGuard } from "./origin_guard.ts";
import type { ProtectedResources } from "./protected_resources.ts";
import { pathOf } from "./request_path.ts";
import { type LimitState, type RateLimiter, setLimitHeaders } from "./limits/rate_limit.ts";
import { callerOf, type Tier, tierOf } from "./limits/rate_tiers.ts";
import {
  discardBody,
  inSessionOf,
  type RefusalCode,
  refusalResponse,
  REFUSALS,
  type SessionRefusals,
} from "./refusal.ts";

/** A request that was admitted and authenticated. */
export interface Exchange {
  readonly request: Request;
  /** Without query, as it came: percent-encoded, one trailing slash taken off. */
  readonly path: string;
  readonly principal: Principal;
  /** The caller that rate limits count the request for; undefined: not limited. */
  readonly caller?: string;
  /** Collects fields for the access log. */
  readonly note?: CallNote;
  /** The span of the request. */
  readonly trace?: Span;
  /** The caller's rate limit is exceeded, at an endpoint with `answersOverLimit`. The body is unread. */
  readonly overLimit?: SluiceError;
  /** A quota has refused the call: an endpoint without a session answers it with the status of the error. */
  overQuota?: SluiceError;
  /** For the audit trail: an endpoint sets this when it knows what the request asks for. */
  action?: AuditAction;
  /** An endpoint sets this when its response stays open. The request then counts as a stream until the response ends. */
  isStream?: boolean;
  /** An endpoint sets this when the connection outlives the response (a WebSocket). Settles when the connection ends. */
  connectionEnd?: Promise<unknown>;
  readonly info: ServedInfo;
}

/** A request that was answered with an error. */
export interface FailedRequest {
  readonly request: Request;
  readonly info: ServedInfo;
  /** The name of the endpoint; null: the path has none. */
  readonly endpoint: string | null;
  /** Absent if the request was refused before it was authenticated. */
  readonly exchange?: Exchange;
  /** Absent if no caller was found. */
  readonly principal?: Principal;
}

/** A failure whose answer the endpoint may make. */
export interface FailedAnswer {
  readonly request: Request;
  readonly path: string;
  readonly info: ServedInfo;
  /** null: the request failed before its caller was known. */
  readonly principal: Principal | null;
  readonly reported: ReportedError;
}

/** What Deno.serve passes with a request. */
export interface ServedInfo {
  /** Settles when the last byte of the response is sent, or cannot be sent any more. */
  readonly completed: Promise<unknown>;
  /** Throws after the connection has become a WebSocket. */
  readonly remoteAddr: Deno.NetAddr;
}

export interface Endpoint {
  /** For the metrics. */
  readonly name: string;
  /** The format of failures: JSON-RPC errors or REST responses. */
  readonly speaks: "json-rpc" | "rest";
  /** Needs no token, whatever AUTH_REQUIRED says. */
  readonly open?: boolean;
  /**
   * Called by other replicas only, with a signature. Origin and Host are not checked: replicas may use any name of this machine. The
   * endpoint admits requests itself, after it has checked the signature.
   */
  readonly isInternal?: boolean;
  /** Finds who sends a secret that this endpoint knows; null: nobody, so that the header has to have a token. */
  readonly principalOf?: (authorization: string | null) => Principal | null;
  /** Finds what stands in for the Authorization header of clients that cannot send one; null: nothing does. */
  readonly authorizationIn?: (headers: Headers) => string | null;
  /** Takes no cookie and no ambient credential, so that web pages of every origin may call it and read its answers. */
  readonly isForAnyPage?: boolean;
  /** Served at any load: operators need health and metrics most during an overload. */
  readonly alwaysAnswered?: boolean;
  /** Has sessions, and answers requests above the rate limit of their caller itself; otherwise they get 429. */
  readonly answersOverLimit?: boolean;
  /** Headers of every failure, besides those of its code. */
  readonly failureHeaders?: Readonly<Record<string, string>>;
  /** Answers a failure itself; null: as `speaks` says. */
  readonly failed?: (failed: FailedAnswer) => Promise<Response | null>;
  /** Answers a request above a limit of the gateway itself, at no cost; null: as `speaks` says. */
  readonly refusal?: (request: Request, code: RefusalCode) => Response | null;
  /** A GET opens an event stream. */
  readonly streamsOnGet?: boolean;
  serve(exchange: Exchange): Promise<Response>;
}

export interface HandlerDeps {
  readonly admission: Admission;
  readonly callers: Callers;
  readonly accessLog: AccessLog;
  /** CORRELATION_ID_RESPONSE_HEADER: successes have a correlation id also where the client has sent none. */
  readonly identifiesAll: boolean;
  /** APP_ROOT_PATH, which a path may begin with; empty: none. */
  readonly rootPath: string;
  readonly route: (path: string) => Endpoint | null;
  /** @param authorization the Authorization header. @throws {SluiceError} UNAUTHENTICATED */
  readonly authenticate: (authorization: string | null) => Principal | Promise<Principal>;
  /** Limits where, when and how often tokens are used. */
  readonly tokenGate: Pick<TokenGate, "admit" | "answered">;
  /** The IP address of the client, also behind trusted proxies. */
  readonly clientAddress: (request: Request, info: ServedInfo) => string;
  /** The principal of requests to open endpoints. */
  readonly anonymous: Principal;
  readonly originGuard: OriginGuard;
  /** The MCP endpoints as OAuth clients see them. */
  readonly resources: Pick<ProtectedResources, "require" | "completeChallenge">;
  /** null: OTEL_ENABLE_OBSERVABILITY=false. */
  readonly tracer: Tracer | null;
  /** null: CORS_ENABLED=false. */
  readonly cors: Cors | null;
  /** null: RATE_LIMITING_ENABLED=false. */
  readonly rateLimiter: RateLimiter | null;
  readonly quotas: {
    /** Has anybody a quota? */
    readonly isActive: boolean;
    /** null: the caller has no quota of calls. */
    stateOf(principal: Principal): LimitState | null;
  };
  readonly errors: ErrorReporter;
  /** Takes failures for the audit trail; null: there is none. Never waits. */
  readonly auditFailure: ((failed: FailedRequest, reported: ReportedError) => void) | null;
  /** Counts responses by endpoint and HTTP status, and measures the time to their head. */
  readonly answers: Pick<AnswerMeter, "answered">;
  readonly countRefused: (code: RefusalCode) => void;
  readonly sessionRefusals: SessionRefusals;
}

export type Handle = (request: Request, info: ServedInfo) => Promise<Response>;

export function createHandler(deps: HandlerDeps): Handle {
  const { route, admission, accessLog, authenticate, anonymous, errors, answers } = deps;
  const { auditFailure, rootPath, originGuard, cors, rateLimiter, quotas, callers, sessionRefusals } = deps;
  const { tokenGate, clientAddress, resources, tracer } = deps;

  const refused = (
    { headers }: Request,
    endpoint: Endpoint | null,
    code: RefusalCode,
    response: Response,
  ): Response => {
    deps.countRefused(code);
    response.headers.set(CORRELATION_HEADER, correlationIdOf(headers));
    answers.answered(endpoint?.name ?? "none", response.status, null);
    return cors === null ? response : cors.expose(response, headers.get("origin"));
  };

  const refuse = (request: Request, endpoint: Endpoint | null, code: RefusalCode): Response => {
    discardBody(request);
    const response = endpoint?.refusal?.(request, code) ?? refusalResponse(code, endpoint?.speaks ?? "rest");
    return refused(request, endpoint, code, response);
  };

  const refuseOverload = async (request: Request, endpoint: Endpoint | null): Promise<Response> => {
    const inSession = endpoint?.answersOverLimit
      ? await sessionRefusals.refuse(request, REFUSALS.OVERLOADED)
      : null;
    return inSession === null
      ? refuse(request, endpoint, "OVERLOADED")
      : refused(request, endpoint, "OVERLOADED", inSession);
  };

  /** Null: the request is no preflight. */
  const preflightOf = (request: Request, endpoint: Endpoint | null): Response | null => {
    if (cors === null || request.method !== "OPTIONS" || endpoint?.isInternal) return null;
    const preflight = cors.preflight(request, endpoint?.isForAnyPage);
    if (preflight === null) return null;
    if (deps.identifiesAll) preflight.headers.set(CORRELATION_HEADER, correlationIdOf(request.headers));
    answers.answered(endpoint?.name ?? "none", preflight.status, null);
    return preflight;
  };

  /** @throws {SluiceError} UNAUTHENTICATED */
  const principalOf = ({ headers }: Request, endpoint: Endpoint): Principal | Promise<Principal> => {
    if (endpoint.open) return anonymous;
    const authorization = headers.get("authorization") ?? endpoint.authorizationIn?.(headers) ?? null;
    return endpoint.principalOf?.(authorization) ?? authenticate(authorization);
  };

  /**
   * Counts a request for the rate limit of its caller.
   * @returns the refusal, if the endpoint answers it itself
   * @throws {SluiceError} RATE_LIMITED
   */
  const countForLimit = (request: Request, endpoint: Endpoint, tier: Tier, caller: string) => {
    try {
      rateLimiter!.take(tier, caller);
    } catch (refusal) {
      if (endpoint.answersOverLimit) return toSluiceError(refusal);
      discardBody(request);
      throw refusal;
    }
  };

  const failureResponse = async (
    { request, info, exchange }: FailedRequest,
    endpoint: Endpoint | null,
    path: string,
    reported: ReportedError,
  ): Promise<Response> => {
    const { code, params } = reported.error;
    const isUnread = endpoint !== null && UNREAD.has(code);
    const inSession = isUnread && endpoint.answersOverLimit
      ? await sessionRefusals.refuse(request, inSessionOf(reported))
      : null;
    if (isUnread && inSession === null) discardBody(request);
    const failed = { request, path, info, principal: exchange?.principal ?? null, reported };
    const response = inSession ?? await endpoint?.failed?.(failed) ??
      (endpoint?.speaks === "json-rpc" ? rpcErrorResponse(reported) : restErrorResponse(reported));
    if (code === "UNAUTHENTICATED" || code === "INSUFFICIENT_SCOPE") {
      const needed = params.scope === undefined ? undefined : String(params.scope);
      resources.completeChallenge(response.headers, request, path, peerAddress(info), needed);
    }
    for (const [name, value] of Object.entries(endpoint?.failureHeaders ?? {})) {
      response.headers.set(name, value);
    }
    return response;
  };

  return async (request, info) => {
    const path = pathOf(request.url, rootPath);
    const endpoint = route(path);
    // Before admission: the browser hides the 503 of an overload from the page if the preflight fails too.
    const preflight = preflightOf(request, endpoint);
    if (preflight !== null) return preflight;
    if (admission.streamsAreFull && endpoint?.streamsOnGet && request.method === "GET") {
      return refuse(request, endpoint, "TOO_MANY_STREAMS");
    }
    const isCounted = !endpoint?.alwaysAnswered && !endpoint?.isInternal;
    const ticket = isCounted ? admission.enter() : 0;
    if (ticket === REFUSED) return await refuseOverload(request, endpoint);

    const givenId = request.headers.get(CORRELATION_HEADER);
    const record = accessLog.begin(request, correlationIdFrom(givenId), {
      path,
      endpoint: endpoint?.name ?? "none",
      client: accessLog.namesClients ? peerAddress(info) : undefined,
    });
    const { note } = record;
    const startedAt = performance.now();
    const isTraced = tracer !== null && endpoint !== null && isCounted;
    const span = isTraced ? tracer.beginFor(request.headers).begin("", "server", startedAt) : undefined;
    let exchange: Exchange | undefined;
    let principal: Principal | undefined;
    let authenticatedAt = 0;
    let admittedAt: number | null = null;
    let refusal = "";
    let counted: Caller | undefined;
    let origin: string | null = null;
    let tier: Tier | null = null;
    let caller: string | undefined;
    let response: Response;
    try {
      if (!endpoint?.isInternal) origin = originGuard.check(request, endpoint?.isForAnyPage);
      if (endpoint === null) throw new SluiceError("NOT_FOUND", { what: "Path" });
      const found = principalOf(request, endpoint);
      principal = found instanceof Promise ? await found : found;
      // A token that is known takes less time than the reading of a clock.
      if (span !== undefined) authenticatedAt = found === principal ? startedAt : performance.now();
      noteCaller(note, principal);
      if (principal.resource !== undefined) {
        resources.require(principal.resource, request, path, peerAddress(info));
      }
      if (principal.apiToken !== null || principal.limits !== null) {
        await tokenGate.admit(principal, clientAddress(request, info), endpoint.name);
        admittedAt = performance.now();
      }
      if (isCounted) counted = countCall(callers, endpoint, principal, request);
      tier = rateLimiter === null ? null : tierOf(endpoint, path);
      if (tier !== null) caller = callerOf(principal, info);
      const overLimit = tier === null ? undefined : countForLimit(request, endpoint, tier, caller!);
      exchange = {
        request,
        path,
        principal,
        caller,
        overLimit,
        overQuota: undefined,
        note,
        trace: span,
        info,
        isStream: false,
      };
      response = await endpoint.serve(exchange);
    } catch (thrown) {
      const reported = errors.report(thrown, { note, received: request.headers });
      if (exchange === undefined) refusal = reported.error.code;
      const failed = { request, info, endpoint: endpoint?.name ?? null, exchange, principal };
      auditFailure?.(failed, reported);
      response = await failureResponse(failed, endpoint, path, reported);
    }
    if (endpoint !== null && (rateLimiter !== null || quotas.isActive) && response.status !== 101) {
      setLimitHeaders(response.headers, [
        tier === null ? null : rateLimiter!.stateOf(tier, caller!),
        exchange === undefined || !quotas.isActive ? null : quotas.stateOf(exchange.principal),
      ]);
    }
    if (origin !== null) cors?.expose(response, origin, endpoint?.isForAnyPage);
    if (admittedAt !== null) {
      const ms = performance.now() - admittedAt;
      tokenGate.answered(principal!, endpoint!.name, { status: response.status, ms });
    }
    const endedAt = performance.now();
    answers.answered(endpoint?.name ?? "none", response.status, startedAt, endedAt);
    const streamEnd = exchange?.isStream ? exchange.connectionEnd ?? info.completed : null;
    if (isCounted) {
      if (streamEnd !== null) admission.leaveAsStream(streamEnd);
      else admission.leave(ticket);
    }
    if (counted !== undefined) {
      if (streamEnd !== null) callers.leaveAsStream(counted, streamEnd);
      else counted.calls--;
    }
    const { status } = response;
    const isIdentified = deps.identifiesAll && !endpoint?.isInternal || givenId !== null || status >= 400 ||
      note.code !== undefined;
    if (isIdentified && status !== 101) response.headers.set(CORRELATION_HEADER, note.correlationId);
    record.answered(status, streamEnd);
    if (span !== undefined) {
      const isCall = exchange !== undefined && exchange.overLimit === undefined;
      // The stream of a call ends with it. Other streams stay open for hours, and are no call.
      const isOver = streamEnd === null || request.method !== "POST";
      const errorType = failureOf(span, note, status, isCall);
      if (!isOver || span.trace.mayShow(endedAt)) {
        const servedAt = exchange === undefined ? 0 : admittedAt ?? authenticatedAt;
        const times = { authenticatedAt, admittedAt: servedAt, headAt: endedAt };
        const endpointName = endpoint!.name;
        span.subject = new EdgeSubject({ request, info, path, endpointName, note, times, refusal, status });
      }
      if (isOver) span.end(errorType, endedAt);
      else endWithStream(streamEnd, span, note, status, isCall);
    }
    return response;
  };
}

/** What countCall() and the limits of a token throw: the body is unread. */
const UNREAD: ReadonlySet<ErrorCode> = new Set([
  ...["TOO_MANY_CALLS_OF_CALLER", "TOO_MANY_STREAMS_OF_CALLER"] as const,
  ...["TOKEN_RESTRICTED", "TOKEN_LIMIT_REACHED"] as const,
]);

/** @throws {SluiceError} TOO_MANY_CALLS_OF_CALLER, TOO_MANY_STREAMS_OF_CALLER */
function countCall(
  callers: Callers,
  { streamsOnGet }: Endpoint,
  principal: Principal,
  { method }: Request,
): Caller | undefined {
  if (streamsOnGet && method === "GET") callers.requireStream(principal);
  return callers.enter(principal);
}
