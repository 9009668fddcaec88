// The pages under /admin in Chromium: from sign-in to an upstream that works, and what the pages refuse.
import { assert, assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { post } from "../support/mcp_post.ts";
import { connectV2 } from "../support/mcp_clients.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

const PASSWORD = "correct horse battery";

Deno.test({
  name: "People sign in at /admin and manage upstreams",
  ignore: canLeaveOut("chromium"),
  fn: async (t) => {
    await using counter = CounterUpstream.start();
    await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true" } });
    await using browser = await UiBrowser.start(sluice.url);
    const { page } = browser;
    const button = (name: string) => page.getByRole("button", { name });
    const link = (name: string) => page.getByRole("link", { name }).first();

    await t.step("the link of the first start makes the first administrator", async () => {
      await page.goto(`${sluice.url}/admin`);
      await browser.sees("This gateway has no users yet.");
      const [line] = sluice.log().filter(({ event }) => event === "no users yet");
      const made = new URL(line!.link as string);
      await page.goto(sluice.url + made.pathname + made.hash);
      assertEquals(new URL(page.url()).hash, "");
      await browser.look();
      await page.getByLabel("Your email address").fill("ada@example.com");
      await page.getByLabel("New password").fill("x");
      await button("Create account").click();
      await browser.sees("must have at least 12 characters");
      await page.getByLabel("New password").fill(PASSWORD);
      await button("Create account").click();
      await page.waitForURL(`${sluice.url}/admin`);
      await browser.sees("ada@example.com is the first administrator.");
      await browser.look();
      await page.goto(`${sluice.url}/admin/setup`);
      await browser.sees("The first administrator is here");
      await page.goto(`${sluice.url}/admin`);
    });

    await t.step("the link of an administrator sets a forgotten password", async () => {
      const { body: { link } } = await sluice.api(
        "POST",
        "/auth/email/admin/users/ada@example.com/reset-password",
      );
      await page.goto(sluice.url + link);
      assertEquals(new URL(page.url()).hash, "");
      const send = async (password: string) => {
        await page.getByLabel("New password").fill(password);
        await page.getByRole("button", { name: "Set password" }).click();
      };
      await send("x");
      await browser.sees("must have at least 12 characters");
      // Tokens have whole seconds: a session that began in this one would outlive the change.
      const second = Math.floor(Date.now() / 1000);
      await waitFor(() => Date.now() >= (second + 1) * 1000, { what: "the next second" });
      await send(PASSWORD);
      await page.getByText("The password of ada@example.com is set.").waitFor();
      await browser.open("");
      assertEquals(browser.path, "/sign-in");
      await page.getByLabel("Email address").fill("ada@example.com");
      await page.getByLabel("Password").fill(PASSWORD);
      await button("Sign in").click();
      await page.waitForURL(`${sluice.url}/admin`);
    });

    await t.step("an upstream is added, switched off, switched on again, and refreshed", async () => {
      await link("Add an upstream").click();
      const name = page.getByLabel("Name", { exact: true });
      await page.getByLabel("URL", { exact: true }).fill("http://127.0.0.1:1/mcp");
      await name.fill("counter <b>");
      await page.getByLabel("Credentials").selectOption("bearer");
      await page.getByLabel("Token", { exact: true }).fill("kept while one tests");
      const refusal = 'Cannot connect to upstream "counter <b>": connection refused';
      await button("Test connection").click();
      await page.locator("#tested").getByText(refusal).waitFor();
      assertEquals(await page.getByLabel("Token", { exact: true }).inputValue(), "kept while one tests");
      await button("Connect and add").click();
      await browser.sees(refusal, "[role=alert]");
      await browser.sees("Nothing listens there.");
      await browser.look();
      await name.fill("counter");
      await page.getByLabel("URL", { exact: true }).fill(counter.url);
      await page.getByLabel("Credentials").selectOption("none");
      await button("Test connection").click();
      await page.locator("#tested").getByText("offers 3 tools").waitFor();
      assertEquals((await sluice.api("GET", "/gateways")).body, []);
      await button("Connect and add").click();
      await browser.sees("counter is added, with 3 tools");
      await browser.look();
      await button("Switch off").click();
      await button("Undo").click();
      await browser.sees("counter is on.");
      await button("Refresh").click();
      await browser.sees("Refreshed");
    });

    await t.step("an upstream is changed; its secrets are not shown, and stay", async () => {
      const { body: [{ id }] } = await sluice.api("GET", "/gateways");
      await sluice.api("PUT", `/gateways/${id}`, {
        auth_type: "authheaders",
        auth_headers: [{ key: "X-API-Key", value: "s3cret" }],
      });
      await browser.open(`upstreams/${id}/edit`);
      assert(!(await page.content()).includes("s3cret"));
      const headers = page.getByLabel("Headers", { exact: true });
      assertEquals(await headers.inputValue(), "X-API-Key: *****");
      await headers.fill("X-API-Key: *****\nX-Tenant: t1");
      await page.getByLabel("Tags").fill("Counting, red");
      await page.getByLabel("Sessions", { exact: true }).selectOption("caller");
      await browser.look();
      await button("Save").click();
      await page.getByText("counter is changed.").waitFor();
      const { body } = await sluice.api("GET", `/gateways/${id}`);
      const keys = body.authHeaders.map(({ key }: { key: string }) => key);
      assertEquals([body.isolation, body.tags.length, keys], ["caller", 2, ["X-API-Key", "X-Tenant"]]);
      assertEquals(counter.lastHeaders.get("x-api-key"), "s3cret");

      const scopes = ["read", "write"].map((value) => ({ key: "X-Scope", value }));
      await sluice.api("PUT", `/gateways/${id}`, { auth_type: "authheaders", auth_headers: scopes });
      await browser.open(`upstreams/${id}/edit`);
      const masked = "X-Scope: *****\nX-Scope: *****";
      assertEquals(await headers.inputValue(), masked);
      await headers.fill(`${masked}\nX-Tenant: t2`);
      await button("Save").click();
      await page.getByText("counter is changed.").waitFor();
      assertEquals(counter.lastHeaders.get("x-scope"), "read, write");
      await browser.open(`upstreams/${id}/edit`);
      await headers.fill("X-Scope: *****");
      await button("Save").click();
      await browser.sees('2 headers named "X-Scope" are stored', "form.form");
      await browser.open(`upstreams/${id}/edit`);
      await page.getByLabel("URL", { exact: true }).fill("http://127.0.0.1:1/mcp");
      await button("Save").click();
      await page.getByText("is another server: send its credentials too").waitFor();
      await page.getByLabel("Credentials").selectOption("none");
      await button("Save").click();
      await page.getByText("connection refused").first().waitFor();
      assertEquals((await sluice.api("GET", `/gateways/${id}`)).body.url, counter.url);
    });

    await t.step("a command that fails shows the end of its stderr", async () => {
      await browser.open("upstreams/new?way=command");
      await page.getByLabel("Environment").fill("A=1\nA=2");
      await page.getByLabel("Program").fill("sh");
      await page.getByLabel("Name", { exact: true }).fill("broken");
      await button("Connect and add").click();
      await browser.sees("several lines set A", "form.form");
      await browser.open("upstreams/new?way=command");
      await page.getByLabel("Program").fill("sh");
      await page.getByLabel("Arguments").fill("-c\necho no API_KEY >&2; exit 3");
      await page.getByLabel("Name", { exact: true }).fill("broken");
      await button("Test connection").click();
      const tested = page.locator("#tested");
      await tested.getByText("the end of its stderr: no API_KEY").waitFor();
      await tested.getByText("A missing variable belongs in the environment.").waitFor();
      await browser.look();
    });

    await t.step("the servers of a configuration are shown, then added", async () => {
      await browser.open("upstreams/new?way=file");
      await browser.look();
      const text = page.getByLabel("Configuration", { exact: true });
      await text.fill("{");
      await button("Show what would be added").click();
      await browser.sees("Cannot read the configuration", "[role=alert]");
      const servers = {
        second: { type: "http", url: `${counter.url}?key=\${input:key}` },
        third: { command: "sh", args: ["-c", "exit 3"], disabled: true },
        "a third": { url: 5 },
      };
      await text.fill(`{ "servers": ${JSON.stringify(servers)}, // VS Code\n }`);
      await button("Show what would be added").click();
      await browser.sees("the variable key has no value", "tbody tr");
      await browser.sees("new, switched off", "tbody tr");
      await browser.look();
      await page.getByLabel("key", { exact: true }).fill("k");
      await button("Connect and add").click();
      await page.getByText("What was added").waitFor();
      await browser.sees("second", "tbody tr");
      assertEquals((await sluice.api("GET", "/gateways?include_inactive=true")).body.length, 3);
      await browser.look();
      for (const name of ["second", "third"]) await sluice.api("DELETE", `/gateways/${name}`);
    });

    await t.step("what an upstream no longer lists is shown, and forgotten", async () => {
      await using changing = new ListingUpstream();
      changing.tools = ["stays", "goes", { name: "broken" }];
      const { id } = await sluice.registerUpstream("changing", changing.url);
      const { body: [tool] } = await sluice.api("GET", `/tools?q=goes`);
      await sluice.api("POST", `/tools/${tool.id}/state?activate=false`);
      changing.tools = ["stays"];
      await sluice.api("POST", `/gateways/${id}/tools/refresh`);
      await browser.open(`upstreams/${id}`);
      await page.getByRole("row", { name: /^changing-goes/ }).waitFor();
      await browser.look();
      await button("Forget").click();
      await browser.answer("Forget");
      await page.getByText("The entry is forgotten.").waitFor();
      assertEquals((await sluice.api("GET", `/gateways/${id}/removed`)).body, []);
      await sluice.api("DELETE", `/gateways/${id}`);
    });

    await t.step(
      "an upstream is drained: the page follows the last call, and its history tells",
      async () => {
        const held = sluice.rpc("tools/call", { name: "counter-hold", arguments: { ms: 60_000 } });
        await browser.open("upstreams");
        await link("counter").click();
        await waitFor(() => counter.holding === 1, { what: "the call" });
        await button("Drain").click();
        await page.getByText("1 call under way in this replica may end.").waitFor();
        await browser.look();
        counter.release();
        await page.getByText("It was drained: no call is under way in this replica").waitFor();
        await browser.sees("off", "#state");
        assertEquals((await held).body.result.content, [{ type: "text", text: "0" }]);
        await button("Switch on").click();
        await page.getByRole("row", { name: /^drained by ada@example.com/ }).waitFor();
        await page.getByRole("link", { name: "its lines in the log" }).click();
        await browser.arrives("/logs?upstream=counter");
      },
    );

    await t.step("the list is searched while one types, and the way back works", async () => {
      await browser.open("upstreams");
      await browser.look();
      await page.getByLabel("Search").fill("nothing");
      await page.getByText("Nothing is found.").waitFor();
      await page.getByLabel("Search").fill("count");
      await page.getByText("1 found").waitFor();
      await page.getByLabel("State").selectOption("disabled");
      await page.getByText("Nothing is found.").waitFor();
      await page.getByLabel("State").selectOption("");
      await page.getByLabel("Tag").selectOption("red");
      // The list before has one too.
      await browser.arrives("/upstreams?q=count&tags=red");
      await page.getByText("1 found").waitFor();
      await link("counter").click();
      await page.getByRole("heading", { name: "counter", exact: true }).waitFor();
      await page.goBack();
      await browser.arrives("/upstreams?q=count&tags=red");
      await browser.sees("1 found", "#found > p");
    });

    await t.step("a tool is called with what its form asks for", async () => {
      await browser.open("tools?q=keeps busy");
      await link("counter-hold").click();
      await page.getByLabel("ms").fill("many");
      await button("Call counter-hold").click();
      await browser.sees("is not a number", "form.form");
      await page.getByLabel("ms").fill("5");
      await button("Call counter-hold").click();
      assertEquals(await page.textContent("#result pre"), "0");
      await browser.open("tools?q=keeps busy");
      await link("counter-hold").click();
      assertEquals(await page.getByLabel("ms").inputValue(), "5");
      await browser.look();
    });

    await t.step("the overview follows what happens", async () => {
      await browser.open("");
      const row = page.getByRole("row", { name: /^get of counter/ });
      assertEquals(await row.count(), 0);
      const placeOfWorkers = () =>
        page.evaluate(
          "document.querySelector('[aria-label=Workers]').getBoundingClientRect().top - live.getBoundingClientRect().top",
        );
      await page.getByRole("region", { name: "Workers" }).waitFor();
      const place = await placeOfWorkers();
      // Each worker counts from the first look that it has answered.
      await waitFor(async () => {
        await sluice.rpc("tools/call", { name: "counter-get", arguments: {} });
        return await row.isVisible();
      }, { what: "the calls on the overview", everyMs: 200 });
      assertEquals(await placeOfWorkers(), place, "the first row moves what is below");
      const workers = page.getByRole("region", { name: "Workers" }).getByRole("row", {
        name: /^Worker \d ready/,
      });
      await waitFor(async () => await workers.count() === 2, { what: "both workers on the overview" });
      await row.getByRole("link", { name: "get" }).click();
      await link("counter-get").click();
      const use = page.getByRole("region", { name: "Use in the last minute" });
      await use.waitFor();
      const calls = Number(await use.locator(".value").first().textContent());
      await waitFor(async () => {
        await sluice.rpc("tools/call", { name: "counter-get", arguments: {} });
        return Number(await use.locator(".value").first().textContent()) > calls;
      }, { what: "the calls on the tool's page", everyMs: 200 });
      await use.locator("svg").first().waitFor();
      await browser.look();
      await browser.open("");
      await browser.look();
    });

    await t.step("the log is followed, filtered, and found from the id of a failure", async () => {
      await browser.open("logs?level=WARNING");
      const line = page.locator("#lines li").filter({ hasText: "no-such-upstream" });
      assertEquals(await line.count(), 0);
      const { body } = await sluice.api("POST", "/gateways", {
        name: "no-such-upstream",
        url: "http://127.0.0.1:1/",
      });
      await line.waitFor();
      await browser.sees("UPSTREAM_CONNECT_FAILED", "#lines li");
      await line.getByRole("link", { name: body.correlationId }).click();
      await browser.arrives(`/logs?correlation_id=${body.correlationId}`);
      await line.waitFor();
      await browser.look();
      await link("Pause").click();
      await page.getByText("paused").waitFor();
      await browser.open("tools/none");
      await page.getByRole("main").getByRole("link", { name: /^[0-9a-f-]{36}$/ }).click();
      await page.getByText("No line fits.").waitFor();
    });

    await t.step("settings show their source, and no secret", async () => {
      await browser.open("settings");
      await page.getByText(/^\d{3} of \d+ settings$/).waitFor();
      assert(!(await page.content()).includes(sluice.secret));
      await page.getByLabel("Changed only").check();
      await page.getByText(/^\d of \d+ settings$/).waitFor();
      const row = page.getByRole("row", { name: /^STDIO_ENABLED / });
      await row.filter({ hasText: "trueenvironmentdefault: falsea restart" }).waitFor();
      await page.getByRole("row", { name: /^JWT_SECRET_KEY / }).filter({ hasText: "****" }).waitFor();
      await browser.look();
      await page.getByLabel("Search").fill("administrators processes");
      await page.getByText(/^1 of /).waitFor();
    });

    await t.step("a virtual server is composed by search, and a client is told how to connect", async () => {
      await browser.open("virtual-servers");
      await link("New virtual server").click();
      await page.getByLabel("Name", { exact: true }).fill("Counting only");
      await page.getByLabel("Search for tools to add").fill("get");
      await page.getByLabel("counter-get").check();
      await page.getByLabel("Search for tools to add").fill("incr");
      await page.getByLabel("counter-increment").check();
      await browser.look();
      await button("Create virtual server").click();
      await page.getByText("Counting only is created.").waitFor();
      await waitFor(async () => {
        const seen = await page.locator("tbody code").allTextContents();
        return seen.toSorted().join() === "counter-get,counter-increment";
      }, { what: "both tools of the server" });
      await browser.look();
      await link("Edit").click();
      await page.getByLabel("counter-get").uncheck();
      await page.getByLabel("Names of tools").selectOption("original");
      await button("Save").click();
      await page.getByText("Counting only is changed.").waitFor();
      await waitFor(
        async () => (await page.locator("tbody code").allTextContents()).join() === "increment",
        { what: "the one tool that is left" },
      );

      await page.getByRole("main").getByRole("link", { name: "Connect a client" }).click();
      await link("VS Code").click();
      await page.waitForURL("**/connect?client=vscode");
      await browser.sees("%APPDATA%\\Code\\User\\mcp.json");
      await browser.look();
      await page.locator("#configuration").filter({ hasText: '"servers"' }).waitFor();
      const { servers } = JSON.parse(await page.textContent("#configuration") ?? "");
      assertEquals(servers["counting-only"].headers, undefined);
      await page.getByText("It needs no token.").waitFor();
      await button("Create a token for it").click();
      await page.locator("#configuration").filter({ hasText: "Bearer" }).waitFor();
      const { url, headers } =
        JSON.parse(await page.textContent("#configuration") ?? "").servers["counting-only"];
      await using client = await connectV2(url, { token: headers.Authorization.slice("Bearer ".length) });
      assertEquals((await client.listTools()).tools.map(({ name }) => name), ["increment"]);
      await page.getByRole("navigation", { name: "Above" }).getByRole("link", { name: "Counting only" })
        .click();
      await button("Delete").click();
      await browser.answer("Delete");
      await page.getByText("No virtual server yet").waitFor();
    });

    await t.step("a token is made with limits, and revoked", async () => {
      await browser.open("tokens/new");
      await page.getByLabel("Name", { exact: true }).fill("ci");
      await button("Create token").click();
      const token = await page.textContent("#token") ?? "";
      await browser.look();
      const asked = async (method: string) =>
        (await post(sluice, { jsonrpc: "2.0", id: 1, method, params: {} }, { path: "/rpc", token })).status;
      assertEquals(await asked("tools/list"), 200);
      assertEquals((await sluice.api("GET", "/auth/email/admin/users", undefined, token)).status, 403);
      await link("Done").click();
      await browser.look();
      await button("Revoke").click();
      await browser.answer("Revoke");
      await page.getByText("The token is revoked.").waitFor();
      assertEquals(await asked("tools/list"), 401);
      await browser.look();
    });

    await t.step("a change of an upstream is read and approved", async () => {
      await using changing = new ListingUpstream();
      const inputSchema = { type: "object" };
      changing.tools = [{ name: "add", description: "Adds.", inputSchema }];
      const { id } = await sluice.registerUpstream("changing", changing.url, { tool_approval: "changed" });
      changing.tools = [{ name: "add", description: "Adds.<script>alert(1)</script>\u200b", inputSchema }];
      await sluice.api("POST", `/gateways/${id}/tools/refresh`);
      await browser.open("");
      await link("1 change of an upstream waits").click();
      await browser.sees("+Adds.<script>alert(1)</script>\\u{200B}");
      await browser.sees("invisible characters: 1");
      await browser.look();
      await button("Approve").click();
      await page.getByText("Nothing waits for you").waitFor();
      await browser.open(`upstreams/${id}`);
      await button("Delete").click();
      await browser.answer("Delete");
      await page.getByText("The upstream is deleted.").waitFor();
    });

    await t.step(
      "a user is added by a link, joins a team, gets a role, and sees what the role allows",
      async () => {
        await browser.open("users/new");
        await page.getByLabel("Email address").fill("bob@example.com");
        await page.getByRole("button", { name: "Add", exact: true }).click();
        const invited = await page.textContent("#link") ?? "";
        await browser.look();
        await browser.open("teams/new");
        await page.getByLabel("Name", { exact: true }).fill("Travel");
        await button("Create team").click();
        await page.getByLabel("Email address").fill("bob@example.com");
        await page.getByRole("button", { name: "Add", exact: true }).click();
        await page.getByText("bob@example.com is a member now.").waitFor();
        await browser.look();
        await link("bob@example.com").click();
        const viewer = "viewer: Read the entries of a team and call its tools";
        await page.getByLabel("Role", { exact: true }).selectOption({ label: viewer });
        // The answer of the search comes after the choice, which stays.
        const chosen = Promise.withResolvers<void>();
        await page.route("**/users/places?*", (route) => chosen.promise.then(() => route.continue()));
        await page.getByLabel("Search for a team or a virtual server").fill("trav");
        await page.getByLabel("in the team Travel").check();
        chosen.resolve();
        await page.locator("[data-chosen]").getByLabel("in the team Travel").and(page.locator(":checked"))
          .waitFor();
        await page.getByLabel("Expires (UTC, optional)").fill("2099-01-31T18:00");
        await button("Assign role").click();
        await page.getByRole("cell", { name: "in the team Travel" }).waitFor();
        await button("Remove").click();
        await button("Undo").click();
        await page.getByText("The role is assigned.").waitFor();
        await page.locator("td time[title='2099-01-31 18:00:00 UTC']").waitFor();
        await browser.look();
        for (const path of ["users", "teams", "roles", "roles/new", "audit", "help", "help/users"]) {
          await browser.open(path);
          await browser.look();
        }

        await button("Sign out").click();
        await browser.sees("You are signed out.");
        await page.goto(invited);
        await page.getByLabel("New password").fill("another good password");
        await button("Set password").click();
        await page.getByLabel("Email address").fill("bob@example.com");
        await page.getByLabel("Password").fill("another good password");
        await button("Sign in").click();
        await page.waitForURL(`${sluice.url}/admin`);
        const navigation = page.getByRole("navigation", { name: "Pages", exact: true });
        await navigation.getByRole("link", { name: "Tools" }).waitFor();
        const pages = await navigation.getByRole("link").allTextContents();
        assert(pages.includes("Tools") && pages.includes("Teams"), pages.join());
        assert(!pages.includes("Users") && !pages.includes("Audit trail"), pages.join());
        await browser.open("users");
        await browser.sees("You may not do this");
        await browser.open("upstreams");
      },
    );

    await t.step("whoever has signed in changes the password", async () => {
      await link("Change password").click();
      await browser.sees("Users who sign in at an identity provider");
      await page.getByLabel("Current password").fill("another good password");
      await page.getByLabel("New password").fill("one more good password");
      await button("Change password").click();
      await browser.arrives("");
      await browser.sees("The password is changed.", "[role=status]");
    });

    await t.step("whoever has signed out signs in again, to the page that was asked for", async () => {
      await browser.open("upstreams");
      await button("Sign out").click();
      await browser.sees("You are signed out.");
      await browser.open("upstreams/new");
      assertEquals(browser.path, "/sign-in?next=upstreams%2Fnew");
      await page.getByLabel("Email address").fill("ada@example.com");
      await page.getByLabel("Password").fill("wrong");
      await button("Sign in").click();
      await browser.sees("Wrong email or password", "[role=alert]");
      await browser.look();
      await page.getByLabel("Password").fill(PASSWORD);
      await button("Sign in").click();
      await page.waitForURL(`${sluice.url}/admin/upstreams/new`);
      await browser.signInWith("nonsense");
      await browser.sees("the token cannot be read", "[role=alert]");
      await browser.signInWith(await sluice.token());
      await browser.arrives("");
    });

    await t.step("signing in, adding an upstream and trying a tool need no mouse", async () => {
      const { keyboard } = page;
      const follow = async (name: string) => {
        await browser.tabTo(name);
        await keyboard.press("Enter");
      };
      const fill = async (name: string, text: string) => {
        await browser.tabTo(name);
        await keyboard.insertText(text);
      };
      await page.context().clearCookies();
      await browser.open("sign-in");
      await fill("Email address", "ada@example.com");
      await fill("Password", PASSWORD);
      await keyboard.press("Enter");
      await page.waitForURL(`${sluice.url}/admin`);
      await follow("Skip to the page");
      await keyboard.press("Tab");
      assertEquals(await page.evaluate("document.activeElement.closest('main') !== null"), true);

      await follow("Upstreams");
      await page.waitForURL(`${sluice.url}/admin/upstreams`);
      await follow("Add an upstream");
      await page.waitForURL(`${sluice.url}/admin/upstreams/new`);
      await fill("URL", `${counter.url}?typed`);
      await fill("Name", "typed");
      await follow("Connect and add");
      await page.getByText("typed is added").waitFor();

      await browser.tabTo("Tools");
      await keyboard.press("Enter");
      await page.waitForURL(`${sluice.url}/admin/tools`);
      await fill("Search", "typed-hold");
      await page.getByText("1 found").waitFor();
      await follow("typed-hold");
      await page.getByRole("heading", { name: "typed-hold" }).waitFor();
      await fill("ms", "5");
      await follow("Call typed-hold");
      assertEquals(await page.textContent("#result pre"), "0");

      await page.setViewportSize({ width: 390, height: 900 });
      await follow("Menu");
      await page.getByRole("navigation", { name: "Pages", exact: true }).waitFor();
      await keyboard.press("Tab");
      await keyboard.press("Escape");
      await page.getByRole("navigation", { name: "Pages", exact: true }).waitFor({ state: "hidden" });
      assertEquals(await page.evaluate("document.activeElement.textContent.trim()"), "Menu");
    });
    assertEquals(browser.faults, []);
  },
});

Deno.test("Forms of other pages change nothing, and programs read the lists of the REST API below /admin", async () => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start({
    env: { ALLOWED_ORIGINS: "http://evil.test", AUDIT_TRAIL_ENABLED: "true" },
  });
  const { id } = await sluice.registerUpstream("counter", counter.url);
  const token = await sluice.token();
  const send = async (headers: Record<string, string>, path = `${id}/state`, body = "activate=false") => {
    const response = await fetch(`${sluice.url}/admin/upstreams/${path}`, {
      method: "POST",
      redirect: "manual",
      headers: {
        cookie: `sluice_session=${token}`,
        "content-type": "application/x-www-form-urlencoded",
        accept: "text/html",
        ...headers,
      },
      body,
    });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await send({}), 403);
  assertEquals(await send({ origin: "http://evil.test" }), 403);
  assertEquals(await send({ origin: "http://evil.test", "sec-fetch-site": "cross-site" }), 403);
  assertEquals(await send({ origin: sluice.url, "sec-fetch-site": "same-site" }), 403);
  assertEquals((await sluice.api("GET", `/gateways/${id}`)).body.enabled, true);
  assertEquals(await send({ origin: sluice.url, "x-forwarded-for": "203.0.113.7" }), 303);
  assertEquals((await sluice.api("GET", `/gateways/${id}`)).body.enabled, false);
  // A page's write comes from the client behind the proxy, as one by REST does.
  const switched = await waitFor(async () => {
    const { records } = (await sluice.api("GET", "/audit")).body;
    return records.find(({ operation }: { operation: string }) => operation === "switchGateway") ?? null;
  }, { what: "the write in the audit trail" });
  assertEquals(switched.address, "203.0.113.7");

  // Writes that fail are in the audit trail once, also where the page shows the failure beside its form.
  const form = "name=no&url=http%3A%2F%2F127.0.0.1%3A1%2F";
  assertEquals(await send({ origin: sluice.url }, "new", form), 422);
  assertEquals(await send({ origin: sluice.url }, "test", form), 200);
  assertEquals(await send({ origin: sluice.url }, "none/delete", ""), 404);
  const failures = async () =>
    (await sluice.api("GET", "/audit")).body.records
      .filter(({ outcome }: { outcome: string }) => outcome === "failed")
      .map(({ operation, code }: { operation: string; code: string }) => `${operation} ${code}`).toSorted();
  await waitFor(async () => (await failures()).length >= 3, { what: "the failures in the audit trail" });
  assertEquals(await failures(), [
    "createGateway UPSTREAM_CONNECT_FAILED",
    "deleteGateway NOT_FOUND",
    "testGateway UPSTREAM_CONNECT_FAILED",
  ]);

  // The session opens the pages alone.
  const rest = await fetch(`${sluice.url}/gateways`, { headers: { cookie: `sluice_session=${token}` } });
  await rest.body?.cancel();
  assertEquals(rest.status, 401);
  const next = await fetch(`${sluice.url}/admin/sign-in?next=//evil.test/`, {
    headers: { accept: "text/html" },
  });
  assert(!(await next.text()).includes('href="//evil.test'));
});
