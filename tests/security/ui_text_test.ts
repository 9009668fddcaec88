// Texts that upstreams, tool results and users set, on every page in Chromium: nothing of them runs, becomes an element, or is loaded.
// And what a user may not see is on no page of theirs.
import { assert, assertEquals, assertNotMatch } from "@std/assert";
import theme from "../../src/ui/assets/theme.js" with { type: "text" };
import { LIVE_LOG, PAGE_ROUTES } from "../../src/ui/page_routes.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";

/** Where no page may ever ask. */
const ELSEWHERE = "http://elsewhere.test";

/** What an attacker would try, in one text: markup, ends of attributes, elements and comments, htmx' attributes, directions, control characters. */
const HOSTILE = [
  `<script>top.ran=1</script><img src=${ELSEWHERE}/i onerror=top.ran=2><svg/onload=top.ran=3>`,
  `"><b class=injected hx-get=${ELSEWHERE}/h hx-trigger=load>'><i class=injected>`,
  `</title></style></textarea></pre></select></script><u class=injected>-->]]>`,
  `<link rel=stylesheet href=${ELSEWHERE}/c><style>*{background:url(${ELSEWHERE}/s)}</style><base href=${ELSEWHERE}/>`,
  `<meta http-equiv=refresh content=0;url=${ELSEWHERE}/m><form action=${ELSEWHERE}/f><iframe src=${ELSEWHERE}/r>`,
  `\${top.ran=4} {{top.ran=5}} javascript:top.ran=6 &lt;script&gt; &#60;`,
  `\u202Eright to left\u202C\u2066\u200B\u0007\u001B[31m\uFFFE`,
].join(" ");

/** Short texts for fields with a limit. */
const NAME = `<img src=x onerror=top.ran=7>"'\u202E`;
const LINK = "javascript:top.ran=8";

const FOUND = `(() => ({
  ran: top.ran ?? null,
  injected: document.querySelectorAll(".injected, iframe, base:not(head > base:first-of-type), svg:not(.spark), object, embed").length,
  handlers: [...document.querySelectorAll("*")].flatMap((element) =>
    [...element.attributes].filter(({ name }) => name.startsWith("on")).map(({ name }) => name)),
  links: [...document.querySelectorAll("a[href], form[action], [formaction], img[src], [hx-get], [hx-post]")].flatMap((element) =>
    ["href", "action", "formaction", "src", "hx-get", "hx-post"].map((name) => element.getAttribute(name)).filter((value) =>
      value !== null && !["http:", "https:"].includes(new URL(value, document.baseURI).protocol) && !value.startsWith("data:image/png"))),
  isOwnBase: document.baseURI.startsWith(location.origin + "/admin"),
  scripts: [...document.scripts].filter(({ src, text }) =>
    src === "" ? text !== ${
  JSON.stringify(theme)
} : !new URL(src).pathname.startsWith("/admin/assets/")).length,
}))()`;

Deno.test({
  name: "No text of an upstream, a tool or a user runs, becomes an element or is loaded on any page",
  ignore: canLeaveOut("chromium"),
  fn: async () => {
    await using upstream = hostileUpstream();
    await using sluice = await Sluice.start({
      // The upstream lists again what it had: the change that is held would be gone when a slow machine comes to its page.
      env: { AUDIT_TRAIL_ENABLED: "true", SILENT_UPSTREAM_REFRESH_INTERVAL: "0" },
    });
    await using browser = await UiBrowser.start(sluice.url);
    const { page } = browser;
    const foreign: string[] = [];
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== sluice.url && protocol !== "data:") foreign.push(request.url());
    });
    page.on("dialog", (dialog) => {
      foreign.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await browser.signInWith(await sluice.token());
    const ids = await hostileRegistry(sluice, upstream);
    const shown = new Set<string>();
    const look = async (path: string) => {
      const found = await page.evaluate(FOUND);
      const expected = { isOwnBase: true, ran: null, injected: 0, handlers: [], links: [], scripts: 0 };
      assertEquals([path, found], [path, expected]);
      const text = await page.textContent("body") ?? "";
      for (const [name, mark] of Object.entries(MARKS)) if (text.includes(mark)) shown.add(name);
    };
    // An event stream is no page; its parts come into the page of the log.
    const all = PAGE_ROUTES.filter(({ method, path }) => method === "GET" && path !== LIVE_LOG);
    for (const { path } of all) {
      for (const filled of filledPaths(path, ids)) {
        await browser.open(filled);
        await look(filled);
      }
    }
    // What a script puts into the dialog that asks.
    const { body: [{ id }] } = await sluice.api("GET", "/gateways?include_inactive=true");
    await browser.open(`upstreams/${id}`);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("alertdialog").waitFor();
    await look("upstreams, asked");
    // What htmx puts into a page.
    for (const [path, label] of [["tools", "Search"], ["virtual-servers/new", "Search for tools to add"]]) {
      await browser.open(path!);
      await page.getByLabel(label!, { exact: true }).fill("result");
      await page.getByText("mark-held").or(page.getByText("mark-tool")).first().waitFor();
      await look(`${path}, searched`);
    }
    // Answers to forms: a result, an error, a test, a report, a refusal with what was typed.
    for (const name of ["result", "failure"]) {
      const { body: [tool] } = await sluice.api("GET", `/tools?q=${name}`);
      await browser.open(`tools/${tool.id}`);
      await page.getByRole("button", { name: "Call" }).click();
      await page.locator("#result").waitFor();
      await look(`tools/${name}`);
    }
    await browser.open("upstreams/new");
    await page.getByLabel("URL", { exact: true }).fill(upstream.url);
    await page.getByLabel("Name", { exact: true }).fill(`${NAME}2`);
    await page.getByLabel("Description", { exact: true }).fill(HOSTILE);
    await page.getByRole("button", { name: "Test connection" }).click();
    await page.locator("#tested [role]").waitFor();
    await look("upstreams/test");
    await page.getByLabel("URL", { exact: true }).fill(LINK);
    await page.getByRole("button", { name: "Connect and add" }).click();
    await page.locator("[role=alert]").waitFor();
    await look("upstreams/new, refused");
    await browser.open("upstreams/new?way=file");
    const servers = { [HOSTILE]: { url: LINK }, [NAME]: { url: `${upstream.url}?\${input:${HOSTILE}}` } };
    await page.getByLabel("Configuration", { exact: true }).fill(JSON.stringify({ servers }));
    await page.getByRole("button", { name: "Show what would be added" }).click();
    await page.getByText("What would be added").waitFor();
    await look("upstreams/import");
    assertEquals(foreign, []);
    // The texts were there: a page that shows nothing proves nothing.
    assertEquals([...shown].sort(), Object.keys(MARKS).sort());
  },
});

/** A word of each source's text, that the pages have to show. */
const MARKS = {
  instructions: "mark-instructions",
  tool: "mark-tool",
  schema: "mark-schema",
  resource: "mark-resource",
  prompt: "mark-prompt",
  result: "mark-result",
  failure: "mark-failure",
  gateway: "mark-gateway",
  server: "mark-server",
  team: "mark-team",
  user: "mark-user",
  held: "mark-held",
  skipped: "mark-skipped",
} as const;

function hostileUpstream(): ListingUpstream {
  const upstream = new ListingUpstream();
  upstream.result("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: { tools: {}, resources: {}, prompts: {} },
    serverInfo: { name: HOSTILE, title: HOSTILE, version: HOSTILE },
    instructions: `mark-instructions ${HOSTILE}`,
  });
  const property = (title: string) => ({ type: "string", title, description: HOSTILE, default: HOSTILE });
  const inputSchema = {
    type: "object",
    description: `mark-schema ${HOSTILE}`,
    properties: {
      [HOSTILE]: property(HOSTILE),
      choice: { enum: [HOSTILE, LINK], title: NAME },
      "__proto__x": property(NAME),
    },
  };
  const words = { title: HOSTILE, inputSchema, annotations: { title: HOSTILE } };
  upstream.tools = [
    { name: "result", description: `mark-tool ${HOSTILE}`, ...words, icons: [{ src: LINK }] },
    { name: "failure", description: HOSTILE, ...words },
    { name: `mark-skipped ${HOSTILE}`, inputSchema: 5 },
  ];
  upstream.result("resources/list", {
    resources: [
      { uri: LINK, name: `mark-resource ${HOSTILE}`, title: HOSTILE, description: HOSTILE, mimeType: NAME },
      { uri: `data:text/html,${encodeURIComponent(HOSTILE)}`, name: NAME, mimeType: "text/html" },
    ],
  });
  upstream.result("prompts/list", {
    prompts: [{
      name: "prompt",
      title: HOSTILE,
      description: `mark-prompt ${HOSTILE}`,
      arguments: [{ name: HOSTILE, description: HOSTILE }],
    }],
  });
  upstream.answers.set(
    "tools/call",
    ({ params }) =>
      params.name === "failure" ? { error: { code: -32000, message: `mark-failure ${HOSTILE}` } } : {
        result: {
          content: [
            { type: "text", text: `mark-result ${HOSTILE}` },
            { type: "image", data: `"><img src=${ELSEWHERE}/d>`, mimeType: "image/png" },
            { type: "image", data: btoa("<svg onload=top.ran=9>"), mimeType: "image/svg+xml" },
            { type: "audio", data: `" onerror="top.ran=10`, mimeType: "audio/mpeg" },
            { type: "resource_link", uri: LINK, name: HOSTILE },
            { type: "resource", resource: { uri: LINK, text: HOSTILE, mimeType: "text/html" } },
            { type: HOSTILE, [HOSTILE]: HOSTILE },
          ],
          structuredContent: { [HOSTILE]: HOSTILE },
        },
      },
  );
  return upstream;
}

/** Every field that a user can set. @returns ids for the names in paths */
async function hostileRegistry(
  sluice: Sluice,
  upstream: ListingUpstream,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const make = async (path: string, body: unknown) => {
    const answer = await sluice.api("POST", path, body);
    assert(answer.status < 300, `${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const gateway = await make("/gateways", {
    name: `mark-gateway ${NAME}`,
    url: `${upstream.url}?${encodeURIComponent(HOSTILE)}`,
    description: HOSTILE,
    tags: [NAME, "\u202Etag"],
    tool_approval: "changed",
  });
  await make("/gateways?wait=false", {
    name: `down ${NAME}`,
    url: "http://127.0.0.1:1/<b>",
    description: HOSTILE,
  });
  const changed = { name: "result", description: `mark-held ${HOSTILE}`, inputSchema: { type: "object" } };
  const before = upstream.answers.get("tools/list")!;
  const { result } = before({ method: "tools/list", params: {} }) as {
    result: { tools: { name: string }[] };
  };
  upstream.tools = result.tools.map((tool) => tool.name === "result" ? { ...tool, ...changed } : tool);
  await make(`/gateways/${gateway.id}/tools/refresh`, undefined);
  upstream.answers.set("tools/list", before);
  const { body: tools } = await sluice.api("GET", "/tools");
  const server = await make("/servers", {
    server: {
      name: `mark-server ${NAME}`,
      description: HOSTILE,
      instructions: HOSTILE,
      associated_gateways: [gateway.id],
      associated_tools: [tools[0].id],
    },
  });
  const team = await make("/teams", {
    name: "mark-team <img src=x onerror=top.ran=11>",
    description: HOSTILE,
  });
  const email = "mark-user'<b>@example.com";
  const user = await sluice.api("POST", "/auth/email/admin/users", {
    email,
    password: "a long enough password",
    full_name: `mark-user ${NAME}`,
  });
  const known = user.status < 300 ? email : "mark-user@example.com";
  if (user.status >= 300) {
    await make("/auth/email/admin/users", {
      email: known,
      password: "a long enough password",
      full_name: `mark-user ${NAME}`,
    });
  }
  await make(`/teams/${team.id}/members`, { email: known });
  const role = await make("/rbac/roles", {
    name: `role ${NAME}`,
    description: HOSTILE,
    scope: "global",
    permissions: ["tools.read"],
  });
  return {
    upstreams: [gateway.id],
    tools: tools.map(({ id }: { id: string }) => id),
    "virtual-servers": [server.id],
    "virtual-servers/pick": ["tools?q=result", "resources", "prompts"],
    teams: [team.id],
    users: [encodeURIComponent(known)],
    roles: [role.id],
    tokens: [],
    help: ["admin"],
  };
}

/** The path with each id that there is for its name. Queries repeat what was asked for. */
function filledPaths(path: string, ids: Readonly<Record<string, readonly string[]>>): string[] {
  const hostile = encodeURIComponent(HOSTILE.slice(0, 150));
  const at = path.indexOf("/{");
  if (at < 0) {
    return [
      path,
      `${path}?q=${hostile}&client=${hostile}&next=${encodeURIComponent(LINK)}&${hostile}=${hostile}`,
    ];
  }
  const kind = path.slice(0, at);
  return (ids[kind] ?? []).map((id) => path.replace(/\{\w+\}/, id));
}

Deno.test({
  name: "What a user may not see is on none of the pages",
  fn: async () => {
    await using upstream = new ListingUpstream();
    upstream.tools = [{ name: "add", description: "concealed-description", inputSchema: { type: "object" } }];
    upstream.result("resources/list", { resources: [{ uri: "concealed:uri", name: "concealed-resource" }] });
    upstream.result("prompts/list", { prompts: [{ name: "concealed-prompt" }] });
    await using sluice = await Sluice.start();
    const password = "a long enough password";
    const tokens: Record<string, string> = {};
    for (const name of ["ann", "bob"]) {
      await sluice.api("POST", "/auth/email/admin/users", { email: `${name}@example.com`, password });
      await sluice.api("POST", `/rbac/users/${name}@example.com/roles`, {
        role_id: "developer",
        scope: "global",
      });
      const login = { email: `${name}@example.com`, password };
      tokens[name] = (await sluice.api("POST", "/auth/login", login, null)).body.access_token;
    }
    const { body: team } = await sluice.api("POST", "/teams", { name: "concealed-team" });
    await sluice.api("POST", `/teams/${team.id}/members`, { email: "ann@example.com" });
    const sharings = [
      { visibility: "private", owner_email: "ann@example.com" },
      { visibility: "team", team_id: team.id },
    ];
    const ids: Record<string, string[]> = {
      upstreams: [],
      "virtual-servers": [],
      tools: [],
      teams: [team.id],
    };
    for (const [i, sharing] of sharings.entries()) {
      const gateway = await sluice.registerUpstream(`concealed-upstream-${i}`, `${upstream.url}?${i}`, {
        tags: ["concealed-tag"],
        description: "concealed-words",
        ...sharing,
      });
      ids.upstreams!.push(gateway.id);
      const server = { name: `concealed-server-${i}`, associated_gateways: [gateway.id], ...sharing };
      ids["virtual-servers"]!.push((await sluice.api("POST", "/servers", { server })).body.id);
    }
    ids.tools = (await sluice.api("GET", "/tools")).body.map(({ id }: { id: string }) => id);
    const paths = PAGE_ROUTES.filter(({ method, isOpen }) => method === "GET" && !isOpen).flatMap(
      ({ path }) => {
        const at = path.indexOf("/{");
        if (at < 0) return [path, `${path}?q=concealed`, `${path}?q=concealed&part`];
        const kind = path.slice(0, at);
        return (ids[kind] ?? []).map((id) => path.replace(/\{\w+\}/, id));
      },
    ).concat([
      "virtual-servers/pick/tools?q=concealed",
      ...ids.upstreams!.map((id) => `tools?gateway_id=${id}`),
    ]);
    const pageOf = async (name: string, path: string) => {
      const headers = { cookie: `sluice_session=${tokens[name]}`, accept: "text/html" };
      const response = await fetch(`${sluice.url}/admin/${path}`, { headers, redirect: "manual" });
      return await response.text();
    };
    let seen = 0;
    for (const path of paths) {
      // The search repeats what was asked for.
      const asked = (text: string) => text.replaceAll(/(value="|q=)concealed/g, "");
      assertNotMatch(asked(await pageOf("bob", path)), /concealed/, path);
      if (/concealed/.test(asked(await pageOf("ann", path)))) seen++;
    }
    assert(seen > 15, `ann sees them on ${seen} pages`);
  },
});
