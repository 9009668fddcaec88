// What pages under /admin change: what is lost is asked for in a dialog, what can be undone has a button for it.
import { assertEquals } from "@std/assert";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

/** A PNG of one pixel. */
const DOT =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

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
      await page.getByText("ann@example.com is removed from the team.").waitFor();
      await row.waitFor({ state: "hidden" });
      await button("Undo").click();
      await row.waitFor();
    });

    await t.step("what one tab has changed stays when another one, opened before, is saved", async () => {
      const { body: [{ id: upstreamId }] } = await sluice.api("GET", "/gateways");
      const { body: [{ id: server }] } = await sluice.api("GET", "/servers");
      const other = await page.context().newPage();
      const forms = [`upstreams/${upstreamId}`, `virtual-servers/${server}`];
      for (const path of forms) {
        await other.goto(`${sluice.url}/admin/${path}/edit`);
        await browser.open(`${path}/edit`);
        await page.getByLabel("Description", { exact: true }).fill("Told by the first tab.");
        await button("Save").click();
        await browser.arrives(`/${path}`);
        await browser.sees("Told by the first tab.");
        await other.getByLabel("Tags", { exact: true }).fill("second");
        await other.getByRole("button", { name: "Save", exact: true }).click();
        await other.waitForURL(`${sluice.url}/admin/${path}`);
        await other.getByText("Told by the first tab.").waitFor();
        await other.getByText("second").first().waitFor();
      }
      await other.close();
      const { body: { id: team } } = await sluice.api("POST", "/teams", { name: "Sales" });
      await browser.open(`teams/${team}`);
      await page.getByRole("link", { name: "Edit" }).click();
      await page.getByLabel("Name", { exact: true }).fill("Selling");
      await button("Save").click();
      await browser.sees("The team Selling is changed.", "[role=status]");
    });

    await t.step(
      "a change that is held anew is not approved by a page that showed the former one",
      async () => {
        await using changing = new ListingUpstream();
        changing.tools = ["add"];
        const { id } = await sluice.registerUpstream("changing", changing.url, { tool_approval: "changed" });
        const describe = async (description: string) => {
          changing.tools = [{ name: "add", description, inputSchema: { type: "object" } }];
          await sluice.api("POST", `/gateways/${id}/tools/refresh`);
        };
        await describe("Adds.");
        await browser.open("held");
        await browser.sees("Adds.");
        await describe("Adds, and sends it away.");
        await button("Approve").click();
        await browser.sees("Nothing was decided", ".notice.bad");
        await browser.sees("sends it away");
        await sluice.api("DELETE", `/gateways/${id}`);
      },
    );

    await t.step(
      "chosen held changes of several upstreams are decided at once, but none that has changed since",
      async () => {
        await using one = new ListingUpstream();
        await using other = new ListingUpstream();
        const describe = (description: string) => {
          one.tools = ["first", "second"].map((name) => ({
            name,
            description,
            inputSchema: { type: "object" },
          }));
          other.tools = [{ name: "third", description, inputSchema: { type: "object" } }];
        };
        describe("Waits.");
        const { id } = await sluice.registerUpstream("one", one.url, { tool_approval: "all" });
        const { id: otherId } = await sluice.registerUpstream("other", other.url, { tool_approval: "all" });
        const waiting = async () =>
          (await sluice.api("GET", "/held")).body.map(({ name }: { name: string }) => name).sort();
        await browser.open("held");
        await browser.look("held");
        await button("Approve the chosen").click();
        await browser.sees("Choose a change first.", ".notice.bad");
        assertEquals(await waiting(), ["first", "second", "third"]);
        await page.getByLabel("Choose tool second of one").check();
        await page.getByLabel("Choose tool third of other").check();
        await button("Approve the chosen").click();
        await browser.sees("2 changes are approved", "[role=status]");
        assertEquals(await waiting(), ["first"]);

        describe("Has changed.");
        for (const each of [id, otherId]) await sluice.api("POST", `/gateways/${each}/tools/refresh`);
        await browser.open("held");
        describe("Has changed again.");
        await sluice.api("POST", `/gateways/${id}/tools/refresh`);
        await button("Choose all shown").click();
        await button("Approve the chosen").click();
        await browser.sees("Decided: 1. The others were not", ".notice.bad");
        assertEquals(await waiting(), ["first", "second"]);
        for (const each of [id, otherId]) await sluice.api("DELETE", `/gateways/${each}`);
      },
    );

    await t.step("a resource is read and a prompt is rendered, and both are switched off", async () => {
      const { body: [gateway] } = await sluice.api("GET", "/gateways");
      upstream.result("resources/list", { resources: [{ uri: "note:1", name: "note" }] });
      upstream.result("resources/templates/list", {
        resourceTemplates: [{ uriTemplate: "note:{number}", name: "numbered" }],
      });
      upstream.result("resources/read", {
        contents: [{ uri: "note:1", text: "Buy <b>milk" }, {
          uri: "note:1",
          mimeType: "image/png",
          blob: DOT,
        }],
      });
      const who = { name: "who", description: "Whom to greet.", required: true };
      upstream.result("prompts/list", { prompts: [{ name: "greet", arguments: [who] }] });
      upstream.answers.set("prompts/get", ({ params }) => ({
        result: {
          messages: [
            { role: "user", content: { type: "text", text: `Greet ${params.arguments.who}` } },
            { role: "assistant", content: "not of the protocol" },
          ],
        },
      }));
      await sluice.api(
        "POST",
        `/gateways/${gateway.id}/tools/refresh?include_resources=true&include_prompts=true`,
      );

      // What an upstream is said to offer is what its link shows.
      await browser.open(`upstreams/${gateway.id}`);
      await page.getByRole("link", { name: "2 resources" }).click();
      await browser.sees("1 found", "#found > p");
      const templates = page.getByRole("region", { name: "Templates" });
      await templates.getByText("1 found").waitFor();
      await templates.getByRole("link", { name: "numbered" }).click();
      await browser.sees("clients fill in what stands in braces");
      await browser.open("resources");
      await page.getByLabel("Search").fill("nothing of this name");
      await templates.waitFor({ state: "detached" });
      await browser.open("resources");
      await page.getByRole("link", { name: "note", exact: true }).click();
      await button("Read it").click();
      await browser.sees("Buy <b>milk", "#content");
      await waitFor(() => page.evaluate("document.querySelector('#content img')?.naturalWidth === 1"), {
        what: "the image",
      });
      await browser.look("resource_read");
      await button("Switch off").click();
      await browser.sees("note is off.", "[role=status]");
      await button("Undo").click();
      await browser.sees("note is on.", "[role=status]");
      upstream.answers.set("resources/read", () => ({ error: { code: -32002, message: "It is gone" } }));
      await button("Read it").click();
      await browser.sees("It is gone", "[role=alert]");

      await browser.open("prompts");
      await page.getByRole("link", { name: "again-greet" }).click();
      await page.getByLabel("who").fill("Ann");
      await button("Render again-greet").click();
      await browser.sees("Greet Ann", "#result");
      await browser.sees("not of the protocol", "#result");
      await browser.look("prompt_rendered");
      await button("Switch off").click();
      await browser.sees("again-greet is off.", "[role=status]");
    });

    assertEquals(browser.faults, []);
  },
});
