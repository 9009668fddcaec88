// What pages under /admin change: what is lost is asked for in a dialog, what can be undone has a button for it.
import { assertEquals } from "@std/assert";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test({
  name: "Pages ask before something is lost, and undo what can be undone",
  ignore: canLeaveOut("chromium"),
  fn: async (t) => {
    await using upstream = new ListingUpstream();
    upstream.tools = ["one", "two"];
    await using sluice = await Sluice.start();
    await using browser = await UiBrowser.start(sluice.url);
    const { page } = browser;
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    const dialog = page.getByRole("alertdialog");
    await browser.signInWith(await sluice.token());
    await page.waitForURL(`${sluice.url}/admin`);
    const { id, name } = await sluice.registerUpstream("listing <b>", upstream.url);

    await t.step(
      "by keyboard: Escape and Cancel lose nothing, the focus goes back, and the button's name does it",
      async () => {
        await browser.open(`upstreams/${id}`);
        for (const leave of ["Escape", "Enter"]) {
          await button("Delete").focus();
          await page.keyboard.press("Enter");
          await dialog.getByRole("heading", { name: `Delete ${name}?` }).waitFor();
          await dialog.getByText("Its tools leave every virtual server, and its credentials are lost.")
            .waitFor();
          assertEquals(await page.evaluate("document.activeElement.textContent"), "Cancel");
          if (leave === "Escape") await browser.look("dialog");
          await page.keyboard.press(leave);
          await dialog.waitFor({ state: "hidden" });
          assertEquals(await page.evaluate("document.activeElement.textContent"), "Delete");
        }
        assertEquals(browser.path, `/upstreams/${id}`);
        assertEquals((await sluice.api("GET", "/gateways")).body.length, 1);
        await button("Delete").focus();
        await page.keyboard.press("Enter");
        await dialog.waitFor();
        await browser.tabTo("Delete");
        await page.keyboard.press("Enter");
        await page.getByText("The upstream is deleted.").waitFor();
        assertEquals((await sluice.api("GET", "/gateways")).body, []);
      },
    );

    await t.step("what a virtual server has lost comes back with Undo", async () => {
      await sluice.registerUpstream("again", upstream.url);
      const { body: tools } = await sluice.api("GET", "/tools");
      const associated_tools = tools.map((tool: { id: string }) => tool.id);
      const { body: { id: server } } = await sluice.api("POST", "/servers", {
        server: { name: "both", associated_tools },
      });
      const members = async () =>
        (await sluice.api("GET", `/servers/${server}`)).body.associatedToolIds.toSorted();
      await browser.open(`virtual-servers/${server}/edit`);
      await page.getByRole("checkbox", { name: /again-one/ }).uncheck();
      await button("Save").click();
      await page.getByText("both is changed.").waitFor();
      assertEquals((await members()).length, 1);
      await button("Undo").click();
      await waitFor(async () => (await members()).length === 2, { what: "the undone change" });
      assertEquals(await members(), associated_tools.toSorted());
    });

    await t.step("a member who is removed comes back with the same role", async () => {
      const { body: { id: team } } = await sluice.api("POST", "/teams", { name: "Travel" });
      for (const email of ["ann@example.com", "ben@example.com"]) {
        await sluice.api("POST", "/auth/email/admin/users", { email, password: "correct horse battery" });
        await sluice.api("POST", `/teams/${team}/members`, { email, role: "owner" });
      }
      await browser.open(`teams/${team}`);
      const row = page.getByRole("row", { name: /^ann@example.com owner/ });
      await row.getByRole("button", { name: "Remove" }).click();
      await page.getByText("ann@example.com is no member any more.").waitFor();
      await row.waitFor({ state: "hidden" });
      await button("Undo").click();
      await row.waitFor();
    });

    assertEquals(browser.faults, []);
  },
});
