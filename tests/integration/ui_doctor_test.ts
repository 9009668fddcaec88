// What the doctor finds of a gateway that serves, by REST and on the pages.
import { assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

interface Replica {
  readonly address: string;
  readonly is_this: boolean;
  readonly state: string;
}

gatewayTest(
  "A gateway that serves tells what the doctor finds, and how its replicas stand",
  async (start) => {
    await using gateway = await start();
    const count = gateway.processes.length;
    for (const process of gateway.processes) {
      await waitFor(async () => {
        const { body } = await process.api("GET", "/doctor");
        const replicas: readonly Replica[] = body.replicas;
        return body.examined_at !== null && replicas.length === count &&
          replicas.every(({ state }) => state === "serves") &&
          replicas.filter((replica) => replica.is_this).length === 1;
      }, { what: "the doctor's findings", deadlineMs: 120_000 });
    }
    const { body } = await gateway.api("GET", "/doctor");
    assertEquals(
      body.findings.filter(({ id }: { id: string }) => /^(sqlite|postgres|redis|replica)\./.test(id)),
      [],
    );
    const reader = await gateway.token({ admin: false });
    assertEquals((await gateway.api("GET", "/doctor", undefined, reader)).status, 403);
  },
);

Deno.test({
  name: "The overview names what the doctor finds, each with the page that mends it",
  ignore: canLeaveOut("chromium"),
  fn: async () => {
    await using counter = CounterUpstream.start();
    await using sluice = await Sluice.start({ env: { SSRF_PROTECTION_ENABLED: "false" } });
    await sluice.registerUpstream("counter", counter.url);
    await using browser = await UiBrowser.start(sluice.url);
    const { page } = browser;
    await browser.signInWith(await sluice.token());
    // The page was shown before the first examination had ended, and follows it by itself.
    const finding = page.getByRole("link", { name: /SSRF_PROTECTION_ENABLED is false/ });
    await finding.waitFor();
    const replicas = page.getByRole("region", { name: "Replicas" });
    await replicas.getByText(sluice.url).waitFor();
    await replicas.getByText("serves").waitFor();
    await browser.look("overview_with_findings");
    await finding.click();
    await page.waitForURL(/\/admin\/doctor#/);
    const card = page.locator(":target");
    await card.getByText("SSRF_PROTECTION_ENABLED=true").waitFor();
    await card.getByRole("link", { name: "the setting" }).waitFor();
    await browser.look("doctor");
    await card.getByRole("link", { name: "the setting" }).click();
    await page.locator(":target").getByText("SSRF_PROTECTION_ENABLED").first().waitFor();
    await page.goBack();
    await page.waitForURL(/\/admin\/doctor#/);
    await page.locator(":target").getByRole("link", { name: "the manual" }).click();
    await page.waitForURL(/\/admin\/help\//);
    await browser.open("doctor");
    const before = await page.locator("#found time").first().getAttribute("datetime");
    await page.getByRole("button", { name: "Examine now" }).click();
    await page.locator(`#found time:not([datetime="${before}"])`).first().waitFor();
    await page.getByText("An examination is under way").waitFor({ state: "detached" });
    await browser.open("settings");
    await page.getByLabel("Users at once").fill("20000");
    await page.getByRole("button", { name: "Show what would change" }).click();
    await page.getByText("For 20,000 users on this machine the tuner would change:").waitFor();
    await page.getByRole("row", { name: /^MAX_STREAMS|^BACKPRESSURE/ }).first().waitFor();
    await browser.measure("settings_for_users");
    assertEquals(browser.faults, []);
  },
});
