// Room `parts`: what all pages are made of. This file is the frame around a page: head, navigation, notice.
import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { Permission } from "../../auth/permission_table.ts";
import { VERSION } from "../../version.ts";
import type { InlineScript, Script } from "../call/assets.ts";
import type { Notice, Viewer } from "../call/page_call.ts";
import { ConfirmationDialog, PostButton } from "./form.tsx";

interface NavItem {
  /** Relative to `/admin/`. */
  readonly path: string;
  readonly label: string;
  /** The item is shown to callers with this permission for at least one thing; null: to everybody. */
  readonly permission: Permission | null;
}

const NAVIGATION: readonly { readonly group: string | null; readonly items: readonly NavItem[] }[] = [
  { group: null, items: [{ path: "", label: "Overview", permission: null }] },
  {
    group: "Catalog",
    items: [
      { path: "upstreams", label: "Upstreams", permission: "gateways.read" },
      { path: "virtual-servers", label: "Virtual servers", permission: "servers.read" },
      { path: "tools", label: "Tools", permission: "tools.read" },
      { path: "resources", label: "Resources", permission: "resources.read" },
      { path: "prompts", label: "Prompts", permission: "prompts.read" },
      { path: "held", label: "Held changes", permission: "gateways.approve" },
      { path: "connect", label: "Connect a client", permission: "tools.read" },
    ],
  },
  {
    group: "People",
    items: [
      { path: "tokens", label: "Your tokens", permission: "tokens.read" },
      { path: "applications", label: "Your applications", permission: "teams.join" },
      { path: "connections", label: "Your connections", permission: "teams.join" },
      { path: "users", label: "Users", permission: "admin.user_management" },
      { path: "teams", label: "Teams", permission: "teams.read" },
      { path: "roles", label: "Roles", permission: "admin.user_management" },
    ],
  },
  {
    group: "Gateway",
    items: [
      { path: "doctor", label: "Doctor", permission: "admin.system_config" },
      { path: "logs", label: "Logs", permission: "admin.system_config" },
      { path: "settings", label: "Settings", permission: "admin.system_config" },
      { path: "audit", label: "Audit trail", permission: "admin.security_audit" },
      { path: "help", label: "Manual", permission: null },
    ],
  },
];

/** The page of the navigation that this one is below; null: it is below none. @param path relative to `/admin/` */
function sectionOf(path: string): NavItem | null {
  const section = path.split("/")[0];
  return NAVIGATION.flatMap(({ items }) => items).find((item) => item.path === section) ?? null;
}

export interface FrameProps {
  /** What the addresses of the pages are relative to: `/prefix/admin/`. */
  readonly base: string;
  readonly title: string;
  /** The page's own path, relative to `base`. */
  readonly path: string;
  /** null: the page is shown to somebody who has not signed in. */
  readonly viewer: Viewer | null;
  readonly notice: Notice | null;
  readonly theme: InlineScript;
  readonly stylePath: string;
  readonly scripts: readonly Script[];
  /** Where the browser goes on to, at once. */
  readonly goesTo?: string;
  readonly children: Child;
}

export function Frame(props: FrameProps) {
  const { base, title, path, viewer, notice, theme, stylePath, scripts, goesTo, children } = props;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          name="htmx-config"
          content='{"includeIndicatorCSS":false,"history":true,"defaultTimeout":0,"sse":{"reconnectMaxAttempts":0}}'
        />
        {goesTo !== undefined && <meta http-equiv="refresh" content={`0;url=${goesTo}`} />}
        <title>{`${title} · Sluice`}</title>
        <base href={base} />
        <script>{raw(theme.text)}</script>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={stylePath} />
        {scripts.map(({ path, integrity }) => <script src={path} integrity={integrity} defer />)}
      </head>
      <body>
        <a class="skip" href={`${path}#main`}>Skip to the page</a>
        {viewer === null
          ? (
            <main class="bare" id="main" tabindex={-1}>
              <NoticeBox notice={notice} />
              {children}
            </main>
          )
          : (
            <div class="frame">
              <Navigation path={path} viewer={viewer} />
              <main id="main" tabindex={-1}>
                <NoticeBox notice={notice} />
                {children}
              </main>
              <ConfirmationDialog />
              <Trouble />
            </div>
          )}
      </body>
    </html>
  );
}

function Navigation({ path, viewer }: { readonly path: string; readonly viewer: Viewer }) {
  const section = sectionOf(path);
  return (
    <header class="side">
      <div class="top">
        <a class="brand" href="">Sluice</a>
        <button type="button" class="menu-button compact" data-action="menu" aria-expanded="false">
          Menu
        </button>
      </div>
      <nav class="folded" aria-label="Pages">
        {NAVIGATION.map(({ group, items }) => {
          const shown = items.filter(({ permission }) => permission === null || viewer.can(permission));
          return shown.length === 0 ? null : (
            <>
              {group !== null && <div class="group" id={`nav-${group}`}>{group}</div>}
              <ul aria-labelledby={group === null ? undefined : `nav-${group}`}>
                {shown.map((item) => (
                  <li>
                    <a
                      class="item"
                      href={item.path}
                      aria-current={item === section ? "page" : undefined}
                    >
                      {item.label}
                    </a>
                  </li>
                ))}
              </ul>
            </>
          );
        })}
      </nav>
      <div class="who folded">
        <div class="soft" title={viewer.email}>{viewer.isSignedIn ? viewer.email : "Not signed in"}</div>
        <div class="soft">Version {VERSION}</div>
        <button type="button" class="quiet compact" data-action="theme">Theme: system</button>
        {viewer.isLogin && (
          <a class="button quiet compact" href={`change-password?email=${encodeURIComponent(viewer.email)}`}>
            Change password
          </a>
        )}
        {viewer.isSignedIn
          ? <PostButton path="sign-out" label="Sign out" class="quiet compact" />
          : <a class="button quiet compact" href="sign-in">Sign in</a>}
      </div>
    </header>
  );
}

/** Where a reader goes on whose page is not there. @param path of the page; empty: it leads to the overview alone */
export function WaysOn({ path }: { readonly path: string }) {
  const section = sectionOf(path);
  return (
    <p>
      {section !== null && section.path !== path && (
        <>
          <a href={section.path}>{`To ${section.label}`}</a> ·{" "}
        </>
      )}
      <a href="">To the overview</a>
    </p>
  );
}

/** Where the script says what goes wrong with its requests. It covers the end of the page, so that nothing moves. */
function Trouble() {
  const live = "This page may show old data. Live parts are tried again by themselves.";
  return (
    <>
      <div
        id="trouble"
        role="status"
        data-unanswered={`The gateway does not answer. ${live} Reload the page to see the rest.`}
        data-live={live}
      >
      </div>
      <template id="signed-out">
        You are not signed in any more, and nothing was sent.{" "}
        <a href="sign-in" target="_blank">Sign in in another tab</a>, then go on here: this page keeps what
        was filled in.
      </template>
    </>
  );
}

function NoticeBox({ notice }: { readonly notice: Notice | null }) {
  if (notice === null) return null;
  const { text, isFailure = false, undo } = notice;
  return (
    <div class={isFailure ? "notice bad" : "notice good"} role="status">
      <p>{text}</p>
      {undo !== undefined && (
        <PostButton
          path={undo.path}
          label="Undo"
          class="compact"
          fields={undo.fields}
        />
      )}
    </div>
  );
}
