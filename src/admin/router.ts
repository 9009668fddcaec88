// Room `admin`: the REST API of the registry, of health and of metrics. The worker uses `AdminEndpoint`; this file finds the
// route of a request and checks permissions before a handler runs.
import { requireRestPermission, requireToken } from "../auth/rbac.ts";
import { isError, SluiceError } from "../base/errors.ts";
import { serverIdOf } from "../store/sql/server_ids.ts";
import type { AuditAction } from "../store/audit/audit_record.ts";
import { actionOf, recorded, watchedBody } from "./audited_writes.ts";
import type { AdminDeps, AdminRequest, AdminResponse } from "./rest/deps.ts";
import type { ExtraField } from "./rest/fields.ts";
import { type Route, ROUTES } from "./routes.ts";

export interface AdminApi {
  /** Does the API have this path, with any method? */
  match(path: string): boolean;
  /** Needs no route of this path a token? */
  isOpen(path: string): boolean;
  /** What the audit trail says of a request; null: the trail is off, or there is no such route. */
  actionOf(method: string, path: string): AuditAction | null;
  /** Finds the route of a request, and checks the caller's permission. @throws {SluiceError} NOT_FOUND, METHOD_NOT_ALLOWED, FORBIDDEN */
  admit(request: AdminRequest): Admitted;
}

/** A request whose caller has the permission. */
export interface Admitted {
  readonly route: Route;
  /**
   * Runs the handler.
   * @throws {SluiceError} NOT_FOUND, CONFLICT, VALIDATION_FAILED (`data` is the list of faults), EGRESS_DENIED, UPSTREAM_*,
   * STORE_UNAVAILABLE, AUDIT_UNAVAILABLE
   */
  answer(): Promise<AdminResponse>;
}

/** Paths may start with /v1 and may end with a slash. */
export function createAdminApi(deps: AdminDeps, routes: readonly Route[] = ROUTES): AdminApi {
  const patterns = routes.map((route) => ({ route, segments: route.path.split("/").slice(1) }));
  const find = (path: string) => {
    const segments = segmentsOf(path);
    const all = patterns.filter((pattern) => fits(pattern.segments, segments));
    const isFixed = (pattern: typeof all[number]) => !pattern.segments.some(isParameter);
    return { segments, found: [...all.filter(isFixed), ...all.filter((pattern) => !isFixed(pattern))] };
  };
  return {
    match: (path) => find(path).found.length > 0,
    isOpen: (path) => find(path).found.every(({ route }) => route.permission === null),
    actionOf(method, path) {
      if (deps.auditTrail === null) return null;
      const { segments, found } = find(path);
      const match = found.find(({ route }) => route.method === readAs(method));
      return match === undefined ? null : actionOf(match.route, paramsOf(match.segments, segments));
    },
    admit(request) {
      const { segments, found } = find(request.path);
      if (found.length === 0) throw new SluiceError("NOT_FOUND", { what: "Path" });
      const match = found.find(({ route }) => route.method === readAs(request.method));
      if (match === undefined) {
        const allowed = found.map(({ route }) => route.method).join(", ");
        throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed });
      }
      const { route } = match;
      const permission = route.permission === "token" ? null : route.permission;
      if (route.permission === "token") requireToken(request.principal);
      if (permission !== null) {
        const serverId = segments[0] === "servers" ? segments[1] ?? null : null;
        requireRestPermission(request.principal, permission, serverId);
      }
      const params = paramsOf(match.segments, segments);
      const { query, principal, signal } = request;
      return {
        route,
        async answer() {
          const extra: ExtraField[] = [];
          const body = watchedBody(request);
          const text = () => request.text();
          const { client, action } = request;
          const call = { deps, permission, params, query, principal, client, signal, body, text, extra };
          const run = () => route.handler(call);
          if (action?.isWrite && deps.auditTrail?.refuses) throw new SluiceError("AUDIT_UNAVAILABLE");
          try {
            const answer = action?.isWrite
              ? await recorded({ request, action, route, routes, call }, run)
              : await run();
            if (extra.length === 0) return answer;
            const { withWarnings } = await import("./rest/fields.ts"); // loaded by the handler already
            return { ...answer, body: withWarnings(answer.body, extra) };
          } catch (error) {
            if (extra.length === 0 || !isError(error, "VALIDATION_FAILED")) throw error;
            const { withMisspelt } = await import("./rest/fields.ts");
            throw withMisspelt(error, extra);
          }
        },
      };
    },
  };
}

function readAs(method: string): string {
  return method === "HEAD" ? "GET" : method;
}

/** The id of a virtual server is in the registry's form. */
function segmentsOf(path: string): string[] {
  const [first, ...others] = path.replace(/^\/v1(?=\/)/, "").replace(/\/$/, "").split("/").slice(1);
  return first === "servers" ? [first, ...others.map(serverIdOf)] : [first, ...others];
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.length === segments.length &&
    pattern.every((part, i) => isParameter(part) ? segments[i] !== "" : part === segments[i]);
}

function isParameter(part: string): boolean {
  return part.startsWith("{");
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  pattern.forEach((part, i) => {
    if (isParameter(part)) params[part.slice(1, -1)] = decode(segments[i]);
  });
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new SluiceError("NOT_FOUND", { what: "Path" }, { cause });
  }
}
