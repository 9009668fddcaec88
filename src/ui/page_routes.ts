// The table of pages: method, path below `/admin/`, and handler.
import type { PageHandler } from "./call/page_call.ts";

// Pages are loaded on first use, with the library that renders them: a worker that shows none saves the memory.
const signIn = () => import("./start/sign_in_page.tsx");
const signedOut = () => import("./start/signed_out_page.tsx");
const overview = () => import("./start/overview_page.tsx");
const entries = () => import("./entries/entry_lists.tsx");
const entry = () => import("./entries/entry.tsx");
const tools = () => import("./entries/tool_page.tsx");
const resources = () => import("./entries/resource_page.tsx");
const prompts = () => import("./entries/prompt_page.tsx");
const servers = () => import("./servers/server_pages.tsx");
const picker = () => import("./servers/member_picker.tsx");
const serverConfig = () => import("./servers/connect_page.tsx");
const tokens = () => import("./people/token_pages.tsx");
const authorize = () => import("./oauth/authorize_page.tsx");
const device = () => import("./oauth/device_page.tsx");
const applications = () => import("./oauth/application_pages.tsx");
const connections = () => import("./connections/connection_pages.tsx");
const held = () => import("./upstreams/held_page.tsx");
const passwordLink = () => import("./people/password_link.tsx");
const places = () => import("./people/place_picker.tsx");
const users = () => import("./people/user_pages.tsx");
const teamList = () => import("./people/team_list.tsx");
const teamForm = () => import("./people/team_form.tsx");
const teams = () => import("./people/team_pages.tsx");
const roles = () => import("./people/role_pages.tsx");
const audit = () => import("./system/audit_page.tsx");
const log = () => import("./system/log_page.tsx");
const doctor = () => import("./system/doctor_page.tsx");
const settings = () => import("./system/settings_page.tsx");
const forgotPassword = () => import("./start/forgot_password_page.tsx");
const manual = () => import("./system/manual_page.tsx");
const upstreams = () => import("./upstreams/upstream_pages.tsx");
const upstreamList = () => import("./upstreams/upstream_list.tsx");
const upstreamForm = () => import("./upstreams/upstream_form.tsx");
const upstreamWrites = () => import("./upstreams/upstream_writes.tsx");
const upstreamImport = () => import("./upstreams/upstream_import.tsx");

/** The event stream of the page of the log. */
export const LIVE_LOG = "logs/live";

export interface PageRoute {
  readonly method: "GET" | "POST";
  /** Relative to `/admin/`; `{id}` matches one segment. A path without names wins over one with names. */
  readonly path: string;
  /** For people who have not signed in. */
  readonly isOpen: boolean;
  /**
   * `seconds`: the page may be as old as RESPONSE_CACHE_TTL says. A change of the registry, or of who may do what, still shows at once.
   * `now`: the page is made for every request, because it shows what changes without these, or is a form.
   */
  readonly freshness: "now" | "seconds";
  readonly handler: PageHandler;
}

export const PAGE_ROUTES: readonly PageRoute[] = [
  open("GET", "sign-in", on(signIn, "signInPage")),
  open("POST", "sign-in", on(signIn, "signIn")),
  open("GET", "setup", on(signIn, "setupPage")),
  open("POST", "setup", on(signIn, "setUp")),
  open("GET", "change-password", on(signIn, "changePasswordPage")),
  open("POST", "change-password", on(signIn, "changePassword")),
  open("GET", "forgot-password", on(forgotPassword, "forgotPasswordPage")),
  open("POST", "forgot-password", on(forgotPassword, "forgotPassword")),
  open("GET", "reset-password", on(signIn, "resetPasswordPage")),
  open("POST", "reset-password", on(signIn, "resetPassword")),
  page("POST", "sign-out", on(signIn, "signOut")),
  page("GET", "session", on(signedOut, "sessionPage")),

  kept("", on(overview, "overviewPage")),

  kept("upstreams", on(upstreamList, "listUpstreams")),
  page("GET", "upstreams/new", on(upstreamImport, "addPage")),
  page("POST", "upstreams/new", on(upstreamWrites, "addUpstream")),
  page("GET", "upstreams/teams", on(upstreamForm, "pickTeams")),
  page("POST", "upstreams/test", on(upstreamWrites, "testUpstream")),
  page("POST", "upstreams/import", on(upstreamImport, "importUpstreams")),
  kept("upstreams/{id}", on(upstreams, "upstreamPage")),
  page("GET", "upstreams/{id}/edit", on(upstreamWrites, "editUpstreamPage")),
  page("POST", "upstreams/{id}/edit", on(upstreamWrites, "changeUpstream")),
  page("POST", "upstreams/{id}/forget", on(upstreams, "forgetEntry")),
  page("POST", "upstreams/{id}/state", on(upstreams, "switchUpstream")),
  page("POST", "upstreams/{id}/drain", on(upstreams, "drainUpstream")),
  page("POST", "upstreams/{id}/delete", on(upstreams, "deleteUpstream")),
  page("POST", "upstreams/{id}/refresh", on(upstreams, "refreshUpstream")),

  kept("tools", on(entries, "listTools")),
  kept("tools/{id}", on(tools, "toolPage")),
  page("POST", "tools/{id}", on(tools, "tryTool")),
  page("POST", "tools/{id}/state", on(entry, "switchTool")),
  kept("resources", on(entries, "listResources")),
  kept("resources/{id}", on(resources, "resourcePage")),
  page("POST", "resources/{id}", on(resources, "readResource")),
  page("POST", "resources/{id}/state", on(entry, "switchResource")),
  kept("prompts", on(entries, "listPrompts")),
  kept("prompts/{id}", on(prompts, "promptPage")),
  page("POST", "prompts/{id}", on(prompts, "tryPrompt")),
  page("POST", "prompts/{id}/state", on(entry, "switchPrompt")),

  kept("virtual-servers", on(servers, "listServers")),
  kept("virtual-servers/pick/{kind}", on(picker, "pickMembers")),
  page("GET", "virtual-servers/new", on(servers, "newServerPage")),
  page("POST", "virtual-servers/new", on(servers, "addServer")),
  kept("virtual-servers/{id}", on(servers, "serverPage")),
  page("GET", "virtual-servers/{id}/edit", on(servers, "editServerPage")),
  page("POST", "virtual-servers/{id}/edit", on(servers, "changeServer")),
  page("POST", "virtual-servers/{id}/state", on(servers, "switchServer")),
  page("POST", "virtual-servers/{id}/delete", on(servers, "deleteServer")),
  kept("virtual-servers/{id}/connect", on(serverConfig, "connectServerPage")),
  page("POST", "virtual-servers/{id}/connect", on(serverConfig, "connectServerWithToken")),
  kept("connect", on(serverConfig, "connectPage")),
  page("POST", "connect", on(serverConfig, "connectWithToken")),

  kept("held", on(held, "heldPage")),
  page("POST", "held", on(held, "decideHeld")),

  page("GET", "authorize", on(authorize, "authorizePage")),
  page("POST", "authorize", on(authorize, "decide")),
  page("GET", "device", on(device, "devicePage")),
  page("POST", "device", on(device, "decideDevice")),
  page("GET", "applications", on(applications, "listApplications")),
  page("POST", "applications/{id}/disconnect", on(applications, "disconnect")),

  page("GET", "connections", on(connections, "listConnections")),
  page("GET", "connections/{id}", on(connections, "connectionPage")),
  page("POST", "connections/{id}", on(connections, "connectUpstream")),
  page("GET", "connections/{id}/callback", on(connections, "finishConnection")),
  page("GET", "connections/{id}/callback/{client}", on(connections, "finishConnection")),
  page("POST", "connections/{id}/disconnect", on(connections, "disconnectUpstream")),

  page("GET", "tokens", on(tokens, "listTokens")),
  page("GET", "tokens/new", on(tokens, "newTokenPage")),
  page("POST", "tokens/new", on(tokens, "addToken")),
  page("GET", "tokens/servers", on(tokens, "pickServers")),
  page("GET", "tokens/{id}", on(tokens, "tokenPage")),
  page("POST", "tokens/{id}/state", on(tokens, "switchToken")),
  page("POST", "tokens/{id}/revoke", on(tokens, "revokeToken")),
  page("GET", "users", on(users, "listUsers")),
  page("GET", "users/new", on(users, "newUserPage")),
  page("POST", "users/new", on(users, "addUser")),
  page("GET", "users/places", on(places, "pickPlaces")),
  page("GET", "users/{email}", on(users, "userPage")),
  page("POST", "users/{email}/change", on(users, "changeUser")),
  page("POST", "users/{email}/unlock", on(users, "unlockUser")),
  page("POST", "users/{email}/delete", on(users, "deleteUser")),
  page("POST", "users/{email}/link", on(passwordLink, "makeLink")),
  page("GET", "users/{email}/roles", on(users, "userPage")),
  page("POST", "users/{email}/roles", on(users, "giveRole")),
  page("POST", "users/{email}/roles/revoke", on(users, "takeRole")),
  kept("teams", on(teamList, "listTeams")),
  page("GET", "teams/new", on(teamForm, "newTeamPage")),
  page("POST", "teams/new", on(teamForm, "addTeam")),
  kept("teams/{id}", on(teams, "teamPage")),
  page("GET", "teams/{id}/edit", on(teamForm, "editTeamPage")),
  page("POST", "teams/{id}/edit", on(teamForm, "changeTeam")),
  page("POST", "teams/{id}/delete", on(teams, "deleteTeam")),
  kept("teams/{id}/members", on(teams, "teamPage")),
  page("POST", "teams/{id}/members", on(teams, "addMember")),
  page("POST", "teams/{id}/join", on(teamList, "askToJoin")),
  page("POST", "teams/{id}/join-requests/approve", on(teams, "approveJoinRequest")),
  page("POST", "teams/{id}/join-requests/reject", on(teams, "rejectJoinRequest")),
  page("POST", "teams/{id}/members/remove", on(teams, "removeMember")),
  page("POST", "teams/{id}/invitations/cancel", on(teams, "cancelInvitation")),
  page("GET", "invitation", on(teams, "invitationPage")),
  page("POST", "invitation", on(teams, "acceptInvitation")),
  kept("roles", on(roles, "listRoles")),
  page("GET", "roles/new", on(roles, "newRolePage")),
  page("POST", "roles/new", on(roles, "addRole")),
  kept("roles/{role}", on(roles, "rolePage")),
  page("POST", "roles/{role}", on(roles, "changeRole")),
  page("POST", "roles/{role}/delete", on(roles, "deleteRole")),

  page("GET", "logs", on(log, "logPage")),
  page("GET", LIVE_LOG, on(log, "liveLog")),
  page("GET", "doctor", on(doctor, "doctorPage")),
  page("POST", "doctor", on(doctor, "examineNow")),
  page("GET", "settings", on(settings, "settingsPage")),
  page("GET", "audit", on(audit, "auditPage")),
  kept("help", on(manual, "manualPage")),
  kept("help/{topic}", on(manual, "topicPage")),
];

function page(method: PageRoute["method"], path: string, handler: PageHandler): PageRoute {
  return { method, path, isOpen: false, freshness: "now", handler };
}

/** The page depends on the catalog, users, teams and roles, and may show what else there is with some delay. */
function kept(path: string, handler: PageHandler): PageRoute {
  return { ...page("GET", path, handler), freshness: "seconds" };
}

function open(method: PageRoute["method"], path: string, handler: PageHandler): PageRoute {
  return { method, path, isOpen: true, freshness: "now", handler };
}

/** A handler in a module that is loaded on its first call. */
function on<Name extends string>(
  load: () => Promise<Readonly<Record<Name, PageHandler>>>,
  name: Name,
): PageHandler {
  return async (call) => await (await load())[name](call);
}

export interface FoundPages {
  /** By method. */
  readonly routes: readonly PageRoute[];
  readonly params: Readonly<Record<string, string>>;
}

const PATTERNS = PAGE_ROUTES.map((route) => ({ route, segments: route.path.split("/") }))
  .toSorted((a, b) => Number(a.route.path.includes("{")) - Number(b.route.path.includes("{")));

/** The pages of a path. @param path below `/admin/`, percent-encoded; null if there are none */
export function pagesAt(path: string): FoundPages | null {
  const segments = path.split("/");
  const fitting = PATTERNS.filter((pattern) => fits(pattern.segments, segments));
  const first = fitting[0];
  if (first === undefined) return null;
  const params: Record<string, string> = {};
  first.segments.forEach((part, i) => {
    if (isName(part)) params[part.slice(1, -1)] = decoded(segments[i]!);
  });
  return {
    routes: fitting.filter(({ route }) => route.path === first.route.path).map(({ route }) => route),
    params,
  };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.length === segments.length &&
    pattern.every((part, i) => isName(part) ? segments[i] !== "" : part === segments[i]);
}

function isName(part: string): boolean {
  return part.startsWith("{");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
