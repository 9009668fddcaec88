// The pages under /admin with nothing, a few entries and thousands of them: they fit into a phone, a tablet and a desk, and anybody can use them.
import { assertEquals } from "@std/assert";
import { PAGE_ROUTES, pagesAt } from "../../src/ui/page_routes.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { OAuthPerson, requestOf } from "../support/oauth_person.ts";
import { PersonLoginUpstream, register } from "../support/person_login_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";

const LONG_NAME = "a_name_without_any_space_".repeat(3);
const LONG_TEXT = "Says at length what it does, when to use it, and what comes back. ".repeat(8);
const LONG_EMAIL = `${"somebody.with.a.long.name".repeat(2)}@${"department.".repeat(4)}example.com`;

/** Answers to scripts, and ways back from elsewhere. */
const NO_PAGES = [
  ...["upstreams/teams", "virtual-servers/pick/{kind}", "tokens/servers", "users/places", "logs/live"],
  ...["connections/{id}/callback", "connections/{id}/callback/{client}", "session"],
];

/** The paths of the table of pages that these addresses lead to. */
function routesOf(paths: readonly string[]): Set<string> {
  return new Set(paths.map((path) => pagesAt(path.split("?")[0]!)!.routes[0]!.path));
}

/** More than a page of a list has. */
const MANY = 51;

/** Names and texts as upstreams write them: short, and longer than a phone is wide. */
const entriesOf = (size: number) =>
  Array.from({ length: size }, (_, i) => ({
    name: i % 3 === 1 ? `${LONG_NAME}${i}` : `tool_${i}`,
    description: i % 2 === 0 ? "Short." : LONG_TEXT,
    uri: `file:///${"a/long/path/".repeat(i % 3 === 1 ? 10 : 1)}${i}`,
    inputSchema: { type: "object" },
  }));

/** Pages that change with the entries. */
const GROWING =
  /^($|upstreams$|upstreams\/[0-9a-f]{32}|tools$|resources$|prompts$|virtual-servers|tokens$|teams$|doctor|logs|audit)/;

Deno.test({
  name: "Pages fit with 0, 3 and 5,000 entries",
  ignore: canLeaveOut("chromium"),
  fn: async () => {
    await using upstream = new ListingUpstream();
    await using mail = new PersonLoginUpstream();
    await using sluice = await Sluice.start({
      env: {
        DISABLE_ACCESS_LOG: "false",
        AUDIT_TRAIL_ENABLED: "true",
        VALIDATION_MAX_NAME_LENGTH: "255",
        FAILED_LOGIN_MIN_RESPONSE_MS: "0",
        MAX_API_TOKENS_PER_USER: "100",
        MAX_TEAMS_PER_USER: "100",
      },
    });
    const person = await OAuthPerson.make(sluice, LONG_EMAIL, { is_admin: true });
    const asPerson = async (method: string, path: string, body: unknown) => {
      const answer = await sluice.api(method, path, body, person.token);
      assertEquals(answer.status < 300, true, JSON.stringify(answer.body));
      return answer.body;
    };
    const makeTeam = (i: number) => asPerson("POST", "/teams", { name: `Team ${i}`, description: LONG_TEXT });
    const makeToken = (i: number) =>
      asPerson("POST", "/tokens", { name: `${LONG_NAME}${i}`, expires_in_days: 30 });
    await using browser = await UiBrowser.start(sluice.url);
    await browser.signInWith(person.token);
    const pages = [
      ...["", "upstreams", "tools", "resources", "prompts", "virtual-servers", "virtual-servers/new", "held"],
      ...["tokens", "applications", "connections", "users", "teams", "roles", "roles/new"],
      ...["doctor", "logs", "settings", "audit", "connect", "help"],
    ];
    let id: string | null = null;
    for (const size of [0, 3, 5_000]) {
      const entries = entriesOf(size);
      upstream.tools = entries;
      upstream.result("resources/list", { resources: entries });
      upstream.result("prompts/list", { prompts: entries });
      if (size === 3) {
        ({ id } = await sluice.registerUpstream("many", upstream.url));
        await sluice.registerUpstream("guarded", `${upstream.url}?guarded`, {
          tool_approval: "all",
          visibility: "private",
        });
        const login = await register(sluice, LONG_NAME, mail.url);
        const server = await asPerson("POST", "/servers", {
          server: { name: LONG_NAME, description: LONG_TEXT, associated_gateways: [id] },
        });
        const team = await makeTeam(0);
        const token = await makeToken(0);
        const role = await asPerson("POST", "/rbac/roles", {
          ...{ name: "r".repeat(90), description: LONG_TEXT, scope: "team", permissions: ["tools.read"] },
        });
        await person.connect(await person.register({ client_name: `App ${LONG_NAME}` }));
        const client = await person.register({ client_name: `Other ${LONG_NAME}` });
        pages.push(
          ...[`upstreams/${id}`, `upstreams/${id}/edit`, `connections/${login.id}`],
          ...[`virtual-servers/${server.id}`, `virtual-servers/${server.id}/edit`],
          ...[`virtual-servers/${server.id}/connect`, `teams/${team.id}`, `tokens/${token.token.id}`],
          `users/${encodeURIComponent(LONG_EMAIL)}`,
          `authorize?${requestOf({ client_id: client, resource: `${sluice.url}/mcp` })}`,
          ...[
            "upstreams/new",
            "upstreams/new?way=command",
            "upstreams/new?way=file",
            "tokens/new",
            "users/new",
          ],
          ...[
            "teams/new",
            "device",
            "invitation?token=none",
            "help/metrics",
            "sign-in",
            "sign-in?token",
            "setup",
          ],
          ...["change-password", "forgot-password", "reset-password", "upstreams/none", "invitation"],
          ...await Promise.all(["tools", "resources", "prompts"].map(async (kind) => {
            const { body } = await sluice.api("GET", `/${kind}?q=${LONG_NAME}`);
            return `${kind}/${body[0].id}`;
          })),
          `roles/${role.id}`,
          `teams/${team.id}/members`,
          `teams/${team.id}/edit`,
          `users/${encodeURIComponent(LONG_EMAIL)}/roles`,
        );
      } else if (id !== null) {
        for (let i = 1; i < MANY; i++) await Promise.all([makeTeam(i), makeToken(i)]);
        const all = "include_resources=true&include_prompts=true";
        await sluice.api("POST", `/gateways/${id}/tools/refresh?${all}`);
      }
      for (const path of pages) {
        // What does not change with the entries is looked at once.
        if (size > 3 && !GROWING.test(path)) continue;
        await browser.open(path);
        const name = `${path.replace(/\?(?!way|token).*/, "") || "overview"}_with_${size}`;
        await (size === 3 ? browser.look(name) : browser.measure(name));
      }
    }
    const looked = routesOf(pages);
    const wanted = PAGE_ROUTES.filter(({ method, path }) => method === "GET" && !NO_PAGES.includes(path));
    assertEquals(wanted.map(({ path }) => path).filter((path) => !looked.has(path)), []);
    for (const list of ["teams", "tokens"]) {
      await browser.open(list);
      await browser.page.getByRole("link", { name: "Next" }).click();
      await browser.sees("Page 2 of 2");
    }
    const { body: { data: [longest] } } = await sluice.api("GET", "/admin/tools?q=without&per_page=1");
    await browser.open(`tools/${longest.id}`);
    await browser.look();
    await browser.open("tools?q=length");
    await browser.look();
    assertEquals(browser.faults, []);
  },
});
