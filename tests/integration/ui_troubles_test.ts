// What people see of the pages under /admin when the gateway refuses them: an overload, failures of live parts, a session that ends.
import { assert, assertEquals } from "@std/assert";
import type { Page, Route } from "playwright-core";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

const LIMIT = 8;
const PASSWORD = "correct horse battery";

/** Refusals are told by the console too. */
const isExpected = (fault: string) =>
  /status of (503|500|401)|HTTP error status code: (503|500|401)/.test(fault);

Deno.test({
  name: "Pages say that the gateway is overloaded, and what a live part is refused for, once",
  ignore: canLeaveOut("chromium"),
  fn: async (t) => {
    await using counter = CounterUpstream.start();
    await using sluice = await Sluice.start({
      env: { WORKERS: "1", BACKPRESSURE: String(LIMIT), MAX_STREAMS: "1" },
    });
    await using browser = await UiBrowser.start(sluice.url);
    const { page } = browser;
    const trouble = page.locator("#trouble");
    const says = (text: string) => trouble.filter({ hasText: text }).waitFor();
    const isWell = () => page.locator("#trouble:empty").waitFor({ state: "attached" });
    await sluice.registerUpstream("counter", counter.url);
    await browser.signInWith(await sluice.token());
    await browser.arrives("");

    const overloaded = async (during: () => Promise<void>) => {
      const before = counter.seen.calls;
      const held = Array.from(
        { length: LIMIT },
        () => sluice.rpc("tools/call", { name: "counter-hold", arguments: { ms: 600_000 } }),
      );
      const isFull = async () => {
        const response = await fetch(`${sluice.url}/admin/sign-in`);
        await response.body?.cancel();
        return response.status === 503;
      };
      await waitFor(() => counter.seen.calls > before, { what: "a call" });
      await waitFor(isFull, { what: "the overload" });
      await during();
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      Promise.allSettled(held).then(() => resolve());
      let isOver = false;
      ended.then(() => isOver = true);
      await waitFor(() => {
        counter.release();
        return isOver;
      }, { what: "the end of the calls" });
    };

    await t.step("a live part that an overload refuses stays, and is tried again", async () => {
      await page.getByRole("region", { name: "Load" }).waitFor();
      await overloaded(async () => {
        await says("The gateway is overloaded, and nothing was done.");
        await says("Live parts are tried again by themselves.");
        await page.getByRole("region", { name: "Load" }).waitFor();
        await browser.look("overloaded");
      });
      await isWell();
    });

    await t.step("a list, a form and a whole page say it too, and lose nothing", async () => {
      await browser.open("tools");
      await browser.sees("3 found", "#found > p");
      const form = await page.context().newPage();
      await form.goto(`${sluice.url}/admin/teams/new`);
      await form.getByLabel("Name", { exact: true }).fill("Travel");
      const whole = await page.context().newPage();
      await overloaded(async () => {
        await page.getByLabel("Search").fill("hold");
        await says("The gateway is overloaded");
        await browser.sees("3 found", "#found > p");
        await form.getByRole("button", { name: "Create team" }).click();
        await form.locator("#trouble").filter({ hasText: "The gateway is overloaded" }).waitFor();
        assertEquals(await form.getByLabel("Name", { exact: true }).inputValue(), "Travel");
        const answer = await whole.goto(`${sluice.url}/admin/upstreams`);
        assertEquals(answer!.status(), 503);
        await whole.getByRole("heading", { name: "The gateway is overloaded" }).waitFor();
      });
      await form.getByRole("button", { name: "Create team" }).click();
      await form.getByText("The team Travel is created").waitFor();
      await page.getByLabel("Search").fill("hol");
      await browser.sees("1 found", "#found > p");
      await isWell();
      for (const other of [form, whole]) await other.close();
    });

    await t.step(
      "the log says once why its lines are refused, goes on when they are not, and repeats no line",
      async () => {
        const refusal = (status: number, words: string) => (route: Route) =>
          route.fulfill({
            ...{ status, contentType: "text/html", headers: { "x-correlation-id": "c" } },
            body: `<p>${words}</p><p class="soft small">Correlation id: <code>c</code></p>`,
          });
        let answer: (route: Route) => Promise<void> = refusal(403, "You may not read the log");
        let asked = 0;
        await page.route("**/admin/logs/live*", (route) => {
          asked++;
          return answer(route);
        });
        await browser.open("logs");
        for (
          const [status, words] of [
            [403, "You may not read the log"],
            [429, "Too many requests; retry in 1 s"],
            [500, "The gateway has a fault"],
          ] as const
        ) {
          answer = refusal(status, words);
          const before = asked;
          await says(words);
          await waitFor(() => asked > before + 1, { what: "further attempts" });
          assertEquals(await page.locator("#lines > :not(li)").count(), 0);
          assertEquals(await page.getByText(words).count(), 1);
        }
        answer = (route) => route.continue();
        await isWell();
        const line = page.locator("#lines li").filter({ hasText: "no-such-upstream" });
        const fails = async (name: string) => {
          await sluice.api("POST", "/gateways", {
            name: `no-such-upstream-${name}`,
            url: "http://127.0.0.1:1/",
          });
          await line.filter({ hasText: name }).first().waitFor();
        };
        await fails("one");
        const lines = await line.count();

        // Another page has the only stream: the gateway itself refuses this one.
        await page.goto("about:blank");
        const other = await page.context().newPage();
        await other.goto(`${sluice.url}/admin/logs`);
        await other.locator("#trouble:empty").waitFor({ state: "attached" });
        await waitFor(async () => {
          const response = await fetch(`${sluice.url}/admin/logs/live`, {
            headers: { cookie: `sluice_session=${await sluice.token()}`, "hx-request": "true" },
          });
          await response.body?.cancel();
          return response.status === 503;
        }, { what: "the only stream" });
        await browser.open("logs");
        await says("as many event streams open as MAX_STREAMS allows");
        await other.close();
        await isWell();
        assertEquals(await line.count(), lines);
        await fails("two");
      },
    );

    assertEquals(browser.faults.filter((fault) => !isExpected(fault)), []);
  },
});

Deno.test({
  name: "A form keeps what was filled in when the session ends meanwhile, and is sent after a new sign-in",
  ignore: canLeaveOut("chromium"),
  fn: async (t) => {
    await using counter = CounterUpstream.start();
    await using sluice = await Sluice.start();
    await using browser = await UiBrowser.start(sluice.url);
    const { page } = browser;
    const email = "ada@example.com";
    await sluice.api("POST", "/auth/email/admin/users", { email, password: PASSWORD, is_admin: true });
    await sluice.api("POST", "/teams", { name: "Travel", visibility: "public" });
    const signIn = async (on: Page) => {
      await on.getByLabel("Email address").fill(email);
      await on.getByLabel("Password").fill(PASSWORD);
      await on.getByRole("button", { name: "Sign in" }).click();
      await on.waitForURL(`${sluice.url}/admin`);
    };
    /** The session ends at the gateway; the browser still sends it. */
    const revoke = async (on: Page) => {
      const cookies = await on.context().cookies();
      const { value } = cookies.find(({ name }) => name === "sluice_session")!;
      const { status } = await sluice.api("POST", "/auth/logout", undefined, value);
      assertEquals(status, 200);
    };
    const fillIn = async (on: Page, name: string) => {
      await on.goto(`${sluice.url}/admin/upstreams/new`);
      await on.getByLabel("URL", { exact: true }).fill(`${counter.url}?for=${name}`);
      await on.getByLabel("Name", { exact: true }).fill(name);
      await on.getByLabel("Credentials").selectOption("bearer");
      await on.getByLabel("Token", { exact: true }).fill("s3cret-typed");
    };
    const names = async () =>
      (await sluice.api("GET", "/gateways")).body.map(({ name }: { name: string }) => name).sort();
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    const trouble = page.locator("#trouble").filter({ hasText: "You are not signed in any more" });

    await browser.open("sign-in");
    await signIn(page);

    for (
      const [name, end] of [["revoked", revoke], [
        "expired",
        (on: Page) => on.context().clearCookies(),
      ]] as const
    ) {
      await t.step(`a session that is ${name}`, async () => {
        await fillIn(page, name);
        await page.getByText("More", { exact: true }).click();
        await end(page);
        // A search in the form, a test of it, and the form itself.
        await page.getByLabel("Search for a team").fill("Tra");
        await trouble.waitFor();
        await button("Test connection").click();
        await button("Connect and add").click();
        await waitFor(async () => await page.locator("form[aria-busy]").count() === 0, {
          what: "the refusal",
        });
        await trouble.waitFor();
        if (name === "revoked") await browser.look("signed_out");
        assertEquals(await page.getByLabel("Name", { exact: true }).inputValue(), name);
        assertEquals(await page.getByLabel("Token", { exact: true }).inputValue(), "s3cret-typed");
        const stored = await page.evaluate(
          "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state])",
        ) as string;
        assert(!stored.includes("s3cret-typed"), stored);

        const [tab] = await Promise.all([
          page.context().waitForEvent("page"),
          page.getByRole("link", { name: "Sign in in another tab" }).click(),
        ]);
        await signIn(tab);
        await tab.close();
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
        await page.locator("#trouble:empty").waitFor({ state: "attached" });
        await button("Connect and add").click();
        await browser.sees(`${name} is added, with 3 tools`);
        assertEquals(counter.lastHeaders.get("authorization"), "Bearer s3cret-typed");
      });
    }

    await t.step("a page without a form leads to the sign-in, and back", async () => {
      await browser.open("");
      await page.getByRole("region", { name: "Load" }).waitFor();
      await revoke(page);
      await page.waitForURL(`${sluice.url}/admin/sign-in`);
    });

    await t.step("a consent is read anew, and a sign-out leads to the sign-in", async () => {
      for (const [path, next] of [["device", "?next=device%3Fuser_code%3DB"], ["sign-out", ""]] as const) {
        const answer = await fetch(`${sluice.url}/admin/${path}`, {
          ...{ method: "POST", redirect: "manual", body: new URLSearchParams({ user_code: "B" }) },
          headers: {
            origin: sluice.url,
            accept: "text/html",
            referer: `${sluice.url}/admin/${path}?user_code=B`,
          },
        });
        await answer.body?.cancel();
        assertEquals([answer.status, answer.headers.get("location")], [303, `/admin/sign-in${next}`]);
      }
    });

    await t.step("without a script the browser sends the form again", async () => {
      const context = await page.context().browser()!.newContext({ javaScriptEnabled: false });
      const plain = await context.newPage();
      await plain.goto(`${sluice.url}/admin/sign-in`);
      await signIn(plain);
      await fillIn(plain, "plain");
      await revoke(plain);
      await plain.getByRole("button", { name: "Connect and add", exact: true }).click();
      await plain.getByRole("heading", { name: "You are not signed in any more" }).waitFor();
      assertEquals(await names(), ["expired", "revoked"]);
      assert(!(await plain.content()).includes("s3cret-typed"));
      const [tab] = await Promise.all([
        context.waitForEvent("page"),
        plain.getByRole("link", { name: "Sign in in another tab" }).click(),
      ]);
      await signIn(tab);
      await tab.close();
      await plain.reload();
      await plain.getByText("plain is added, with 3 tools").waitFor();
      assertEquals(await names(), ["expired", "plain", "revoked"]);
      await context.close();
    });

    assertEquals(browser.faults.filter((fault) => !isExpected(fault)), []);
  },
});
