// What people see of the pages under /admin when the gateway refuses them: an overload, and failures of live parts.
import { assertEquals } from "@std/assert";
import type { Route } from "playwright-core";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

const LIMIT = 8;

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

    await t.step("a list and a whole page say it too, and lose nothing", async () => {
      await browser.open("tools");
      await browser.sees("3 found", "#found > p");
      const whole = await page.context().newPage();
      await overloaded(async () => {
        await page.getByLabel("Search").fill("hold");
        await says("The gateway is overloaded");
        await browser.sees("3 found", "#found > p");
        const answer = await whole.goto(`${sluice.url}/admin/upstreams`);
        assertEquals(answer!.status(), 503);
        await whole.getByRole("heading", { name: "The gateway is overloaded" }).waitFor();
      });
      await page.getByLabel("Search").fill("hol");
      await browser.sees("1 found", "#found > p");
      await isWell();
      await whole.close();
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
