// What the audit trail says of a request of the REST API. Before and after are what a GET of the entity answers; the bodies of requests
// and answers are not recorded, since some hold secrets.
import { actorOf } from "../auth/principal.ts";
import {
  type AuditAction,
  type AuditEntity,
  boundedNames,
  boundedText,
  changesBetween,
} from "../store/audit/audit_record.ts";
import type { AdminRequest, AdminResponse, Call, Handler } from "./rest/deps.ts";
import type { Route } from "./routes.ts";

/** Operations that are no reads by their method, and change nothing. */
export const CHANGE_NOTHING: ReadonlySet<string> = new Set([
  "renderPrompt",
  "registerClient",
  "checkPermission",
  "examine",
]);

/** Values of a path that are secrets. */
const SECRET_PARAMETERS: ReadonlySet<string> = new Set(["token"]);

/** The reads of what is changed, where the path does not tell. */
const READ_AT: Readonly<Record<string, string>> = {
  importMcpServers: "/gateways",
  importConfiguration: "/gateways",
};

/** In place of reads that ask an upstream. */
const OTHER_READERS: Readonly<Record<string, Handler>> = {
  getResource: async (call) => await (await import("./entities/resource_routes.ts")).getResourceInfo(call),
  getPrompt: async (call) => await (await import("./entities/prompt_routes.ts")).getPromptInfo(call),
};

/** Kinds of entities by operation, where the segment in front of the id names another kind. */
const KINDS: Readonly<Record<string, string>> = { revokeTokenAsAdmin: "token" };

/** @param params the decoded values of the path */
export function actionOf(route: Route, params: Readonly<Record<string, string>>): AuditAction {
  const { operation, permission, method, path } = route;
  const segments = path.split("/");
  const at = segments.findIndex((segment) => segment.startsWith("{"));
  const name = segments[at]?.slice(1, -1);
  return {
    operation,
    permission,
    isWrite: method !== "GET" && !CHANGE_NOTHING.has(operation),
    entity: name === undefined || SECRET_PARAMETERS.has(name)
      ? null
      : { kind: KINDS[operation] ?? kindIn(segments[at - 1]), id: boundedText(params[name]) },
    fields: [],
  };
}

/** The body as it is read, of which the action keeps the names of the fields, and the email address of a login. */
export function watchedBody({ action, body }: AdminRequest): AdminRequest["body"] {
  if (action === null || !action.isWrite) return body;
  return async () => {
    const read = await body();
    if (typeof read !== "object" || read === null || Array.isArray(read)) return read;
    action.fields = boundedNames(Object.keys(read));
    if (action.permission === null) action.entity ??= userIn(read as Record<string, unknown>);
    return read;
  };
}

export interface Write {
  readonly request: AdminRequest;
  readonly action: AuditAction;
  readonly route: Route;
  readonly routes: readonly Route[];
  readonly call: Call;
}

/** Runs a handler, and records what it did before its answer is sent. A handler that throws is recorded where the error is answered. */
export async function recorded(write: Write, run: () => Promise<AdminResponse>): Promise<AdminResponse> {
  const { request, action, route, call } = write;
  const reader = readerOf(write);
  const before = reader === null ? null : await shown(reader, call);
  if (reader?.path.endsWith("}")) action.entity = namedBy(before, action.entity);
  const answer = await run();
  let after = reader === null ? null : await shown(reader, call);
  if (answer.about !== undefined) action.entity = answer.about;
  if (reader === null && action.entity === null) {
    const creation = write.routes.find(({ method, path }) =>
      method === "GET" && path.startsWith(`${route.path}/{`) &&
      !path.slice(route.path.length + 1).includes("/")
    );
    const kind = route.permission === null
      ? "user"
      : kindIn(route.path.slice(route.path.lastIndexOf("/") + 1));
    action.entity = namedBy(createdIn(answer.body), { kind, id: "" });
    if (action.entity.id === "") action.entity = null;
    else if (creation !== undefined) {
      const name = creation.path.slice(route.path.length + 2, -1);
      after = await shown(creation, { ...call, params: { [name]: action.entity.id } });
    }
  }
  await call.deps.auditTrail?.record({
    at: call.deps.now().toISOString(),
    outcome: answer.status < 400 ? "done" : "failed",
    status: answer.status,
    code: null,
    operation: action.operation,
    method: route.method,
    endpoint: "admin",
    permission: action.permission,
    entity: action.entity,
    actor: actorOf(call.principal),
    address: request.client,
    correlationId: request.correlationId,
    count: 1,
    fields: action.fields,
    changes: { ...changesBetween(before, after), ...answer.audited },
  });
  return answer;
}

/**
 * The read of what a write changes: of its own path, or of the nearest above that still names an entity; null: there is none. What a
 * secret of the path opens is no entity.
 */
function readerOf({ route, routes }: Write): Route | null {
  const elsewhere = READ_AT[route.operation];
  if (elsewhere !== undefined) {
    return routes.find(({ method, path }) => method === "GET" && path === elsewhere) ?? null;
  }
  for (let path = route.path; path.includes("{"); path = path.slice(0, path.lastIndexOf("/"))) {
    if ([...SECRET_PARAMETERS].some((name) => path.includes(`{${name}}`))) return null;
    const found = routes.find((each) => each.method === "GET" && each.path === path);
    if (found !== undefined) return found;
  }
  return null;
}

/** The entity as the caller sees it; null: the caller sees none. */
async function shown({ handler, operation }: Route, call: Call): Promise<unknown> {
  try {
    const { body } = await (OTHER_READERS[operation] ?? handler)({ ...call, query: new URLSearchParams() });
    return Array.isArray(body) ? byId(body) : body;
  } catch {
    return null; // The entity is not there yet, or not any more. Other reasons fail the write itself.
  }
}

/** The entries of a list by what identifies them, so that only those that were added, changed or removed differ. */
function byId(list: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(list.map((entry, i) => [idOf(entry) ?? String(i), entry]));
}

/** A new API token is answered beside the token itself. */
function createdIn(answer: unknown): unknown {
  return typeof answer === "object" && answer !== null && "token" in answer ? answer.token : answer;
}

function namedBy(shownEntity: unknown, named: AuditEntity): AuditEntity;
function namedBy(shownEntity: unknown, named: AuditEntity | null): AuditEntity | null;
function namedBy(shownEntity: unknown, named: AuditEntity | null): AuditEntity | null {
  const id = idOf(shownEntity);
  return named === null || id === null ? named : { ...named, id: boundedText(id) };
}

function idOf(entity: unknown): string | null {
  if (typeof entity !== "object" || entity === null) return null;
  const { id, user_email, email } = entity as Record<string, unknown>;
  const found = id ?? user_email ?? email;
  return typeof found === "string" ? found : null;
}

/** The user who logs in, if the field is an email address: somebody may have typed the password there. */
function userIn({ email, username }: Record<string, unknown>): AuditEntity | null {
  const given = String(email ?? username ?? "").trim().toLowerCase();
  return given.length <= 255 && /^[^\s@]+@[^\s@]+$/.test(given) ? { kind: "user", id: given } : null;
}

/** "gateways" -> "gateway" */
function kindIn(segment: string): string {
  return segment.replace(/s$/, "");
}
