// How people use the pages under /admin: they go back, type fast, press Enter and press twice, and read while the gateway is away.
import { assertEquals } from "@std/assert";
import type { Route } from "playwright-core";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test({
  name: "Pages keep what people look for, send a form once, and say when the gateway does not answer",
  ignore: canLeaveOut("chromium"),
  fn: async (t) => {
    await using upstream = new ListingUpstream();
    await using counter = CounterUpstream.start();
    // A member that a resource has changes nothing of a tool.
    upstream.tools = [
      { name: "zoo", uri: "file:///zoo", inputSchema: { type: "object" } },
      ...["zo_call", "other"],
    ];
    await using sluice = await Sluice.start();
    await using browser = await UiBrowser.start(sluice.url);
    const { page } = browser;
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    const { id } = await sluice.registerUpstream("listing", upstream.url);
    await sluice.registerUpstream("counter", counter.url);
    await browser.signInWith(await sluice.token());
    await browser.arrives("");

    await t.step("on a slow line a list shows what the whole word finds", async () => {
      await browser.open("tools");
      await page.evaluate(
        "self.asked = 0, document.addEventListener('htmx:config:request', () => { self.asked++; })",
      );
      const isAnswered = Promise.withResolvers<void>();
      let requests = 0;
      await page.route("**/admin/tools?*part*", async (route) => {
        if (++requests === 1) await isAnswered.promise;
        // The browser has given the first one up.
        await route.continue().catch(() => {});
      });
      const search = page.getByLabel("Search");
      await search.focus();
      for (const [i, letter] of [..."zoo"].entries()) {
        await page.keyboard.press(letter);
        await waitFor(async () => await page.evaluate("self.asked") === i + 1, { what: "the search" });
      }
      isAnswered.resolve();
      await browser.sees("1 found", "#found > p");
      await page.unrouteAll({ behavior: "wait" });
    });

    await t.step("the way back and a reload show the list as it was searched", async () => {
      await browser.arrives("/tools?q=zoo");
      await page.getByRole("link", { name: "listing-zoo" }).click();
      await page.getByRole("heading", { name: "listing-zoo" }).waitFor();
      await page.goBack();
      await browser.arrives("/tools?q=zoo");
      await browser.sees("1 found", "#found > p");
      await page.reload();
      await browser.sees("1 found", "#found > p");
      await page.getByLabel("Search").fill("");
      await browser.arrives("/tools");
      await browser.open("settings?users=100");
      await page.getByLabel("Changed only").check();
      await browser.arrives("/settings?users=100&changed=true");
    });

    await t.step("a list of one upstream says so, and leads to all", async () => {
      await browser.open(`upstreams/${id}`);
      await page.getByRole("link", { name: "3 tools" }).click();
      await browser.sees("Only those of the upstream listing.");
      await page.getByLabel("Search").fill("zoo");
      await browser.arrives(`/tools?gateway_id=${id}&q=zoo`);
      await page.getByRole("link", { name: "Show all tools" }).click();
      await browser.sees("6 found", "#found > p");
      await browser.open(`held?gateway=${id}`);
      await browser.sees("Only those of the upstream listing.");
      await page.getByRole("link", { name: "Show all changes" }).click();
      await browser.arrives("/held");
      // An address that names no upstream limits no list.
      await browser.open("held?gateway=");
      await browser.sees("Nothing waits for you");
    });

    await t.step("Enter in a search for members does not create the virtual server", async () => {
      await browser.open("virtual-servers/new");
      await page.getByLabel("Name", { exact: true }).fill("Ones");
      await page.getByLabel("Search for tools to add").fill("listing-zoo");
      await page.keyboard.press("Enter");
      await page.getByLabel("listing-zoo").check();
      await button("Create virtual server").click();
      await browser.sees("Ones is created.", "[role=status]");
      await browser.sees("listing-zoo", "tbody code");
      const { body: servers } = await sluice.api("GET", "/servers");
      assertEquals(
        servers.map((server: { associatedTools: string[] }) => server.associatedTools.length),
        [1],
      );
    });

    await t.step("the page of an administrator does not say that nothing is allowed", async () => {
      const email = "ada@example.com";
      const { status } = await sluice.api("POST", "/auth/email/admin/users", {
        ...{ email, password: "correct horse battery", is_admin: true },
      });
      assertEquals(status, 201);
      await browser.open(`users/${encodeURIComponent(email)}`);
      await browser.sees("An administrator may do everything");
      assertEquals(await page.getByText("may do only what everybody may").count(), 0);
    });

    await t.step("a second press does not call a tool again", async () => {
      await browser.open("tools?q=counter-hold");
      await page.getByRole("link", { name: "counter-hold" }).click();
      await page.getByLabel("ms").fill("60000");
      const before = counter.seen.calls;
      // A click of the mouse would wait for the page that the first one asks for.
      await button("Call counter-hold").focus();
      await page.keyboard.press("Enter");
      await waitFor(() => counter.holding === 1, { what: "the call" });
      await page.keyboard.press("Enter");
      counter.release();
      await page.locator("#result pre").first().waitFor();
      assertEquals(counter.seen.calls, before + 1);
      // The page of the result calls again.
      await page.getByLabel("ms").fill("1");
      await button("Call counter-hold").click();
      await waitFor(() => counter.seen.calls === before + 2, { what: "the next call" });
    });

    await t.step("a text is copied where browsers give no clipboard to a page", async () => {
      const other = await page.context().newPage();
      // The label comes back when the test says so: a slow machine may take longer for two presses than the label stays.
      await other.addInitScript(`
        Object.defineProperty(navigator, "clipboard", { value: undefined });
        const wait = setTimeout.bind(self);
        self.labels = [];
        self.setTimeout = (run, ms, ...of) => ms === 1500 ? labels.push(run) : wait(run, ms, ...of);
      `);
      await other.goto(`${sluice.url}/admin/connect?client=vscode`);
      const copy = other.getByRole("button", { name: "Copy", exact: true });
      await copy.click();
      await other.getByRole("button", { name: "Copied" }).click();
      // A second press within the moment loses no label.
      await waitFor(() => other.evaluate("labels.length === 2"), { what: "the second press" });
      await other.evaluate("labels.forEach((run) => run())");
      await copy.waitFor();
      await other.goto(`${sluice.url}/admin/upstreams/new?way=file`);
      const field = other.getByLabel("Configuration", { exact: true });
      await field.focus();
      await other.keyboard.press("Control+V");
      await waitFor(async () => (await field.inputValue()).includes(`${sluice.url}/mcp`), {
        what: "the copied text",
      });
      await other.close();
    });

    await t.step("the chosen theme is there before the scripts are", async () => {
      const theme = () => page.evaluate("document.documentElement.dataset.theme");
      await browser.open("tools");
      await button("Theme: system").click();
      await button("Theme: light").click();
      assertEquals(await theme(), "dark");
      await page.route(/\/assets\/.*\.js$/, (route) => route.abort("connectionrefused"));
      await browser.open("upstreams");
      assertEquals(await theme(), "dark");
      await page.unrouteAll({ behavior: "wait" });
      await browser.open("upstreams");
      await button("Theme: dark").click();
      assertEquals(await theme(), undefined);
    });

    await t.step("the manual is searched", async () => {
      await browser.open("help");
      await page.getByLabel("Search the manual").fill("circuit breaker");
      await page.keyboard.press("Enter");
      await browser.arrives("/help?q=circuit+breaker");
      await page.getByRole("link", { name: "Circuit breaker", exact: true }).click();
      await browser.arrives("/help/upstreams#circuit-breaker");
      await browser.open("help?q=no+such+word+anywhere");
      await page.getByRole("main").getByRole("link", { name: "Show all" }).click();
      await browser.arrives("/help");
    });

    await t.step("a page is printed without what is pressed", async () => {
      await browser.open(`upstreams/${id}`);
      await page.emulateMedia({ media: "print" });
      await button("Refresh").waitFor({ state: "hidden" });
      await page.getByRole("navigation", { name: "Pages", exact: true }).waitFor({ state: "hidden" });
      await page.getByText("streamable HTTP").waitFor();
      await page.emulateMedia({ media: null });
    });

    await t.step("without a script the navigation of a phone is open", async () => {
      const context = await page.context().browser()!.newContext({
        javaScriptEnabled: false,
        viewport: { width: 390, height: 844 },
        storageState: await page.context().storageState(),
      });
      const other = await context.newPage();
      await other.goto(`${sluice.url}/admin/tools`);
      await other.getByRole("link", { name: "Virtual servers" }).click();
      await other.waitForURL("**/admin/virtual-servers");
      await context.close();
    });

    await t.step("a list stays when a proxy answers a search in place of the gateway", async () => {
      await browser.open("tools");
      const refused = { status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" };
      await page.route("**/admin/tools?*part*", (route) => route.fulfill(refused));
      await page.getByLabel("Search").fill("zoo");
      await page.locator("#trouble").filter({ hasText: "The gateway does not answer." }).waitFor();
      assertEquals(await page.getByRole("heading", { name: "Bad Gateway" }).count(), 0);
      await page.unrouteAll({ behavior: "wait" });
    });

    await t.step("a page says when the gateway does not answer, and goes on when it does", async () => {
      const notice = page.locator("#trouble").filter({ hasText: "The gateway does not answer." });
      const goesOn = async () => {
        await page.locator("#trouble:empty").waitFor({ state: "attached" });
      };
      const goOn = (route: Route) => route.continue();
      const refuse = (route: Route) => route.abort("connectionrefused");
      let answer: (route: Route) => Promise<void> = refuse;
      await page.route(/\/admin\/(\?live|logs\/live)/, (route) => answer(route));
      await browser.open("");
      await notice.waitFor();
      answer = goOn;
      await goesOn();
      // A proxy in front of the gateway answers in its place: its page is none of ours.
      answer = (route) =>
        route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" });
      await notice.waitFor();
      await page.getByRole("region", { name: "Load" }).waitFor();
      answer = goOn;
      await goesOn();

      // The stream of the log is refused, ends at once, cannot be opened, and then lives.
      const isSeen = Promise.withResolvers<void>();
      const answers = [
        (route: Route) => route.fulfill({ status: 503, body: "" }),
        (route: Route) => route.fulfill({ contentType: "text/event-stream", body: ": hello\n\n" }),
        refuse,
      ];
      let opened = 0;
      answer = async (route) => {
        const next = answers[opened++];
        if (next !== undefined) return await next(route);
        await isSeen.promise;
        await route.continue();
      };
      // A poll of the overview that is under way counts as none of these.
      await page.goto("about:blank");
      opened = 0;
      // On a slow line further scripts come when htmx has looked at the page already.
      await page.route(/\/assets\/(?!htmx)\w+\.\w+\.js$/, async (route) => {
        await waitFor(() => page.evaluate("typeof htmx === 'object'"), { what: "htmx" });
        await route.continue();
      });
      await browser.open("logs");
      await waitFor(() => opened > answers.length, { what: "the fourth attempt" });
      await notice.waitFor();
      isSeen.resolve();
      await goesOn();
      await sluice.api("POST", "/gateways", { name: "no-such-upstream", url: "http://127.0.0.1:1/" });
      await page.locator("#lines li").filter({ hasText: "no-such-upstream" }).first().waitFor();
    });

    const unexpected = browser.faults.filter((fault) =>
      !/htmx|ERR_CONNECTION_REFUSED|status of 50[23]/.test(fault)
    );
    assertEquals(unexpected, []);
  },
});
