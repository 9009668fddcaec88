// Clients that others have published log in with nothing but an address, in Chromium.
import { assertEquals, assertMatch } from "@std/assert";
import { checkLoginClient, ClientHome, type LoginClient } from "../support/login_client.ts";
import { PASSWORD } from "../support/oauth_person.ts";
import { canLeaveOut } from "../support/programs.ts";
import { publishedExecutable, pythonScript } from "../support/published_programs.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";

/** It calls tools for a model alone, and lists servers without one. */
function opencode(url: string): LoginClient {
  const command = (...args: string[]) =>
    publishedExecutable("opencode-linux-x64/bin/opencode", "mcp", ...args);
  return {
    files: {
      ".config/opencode/opencode.json": JSON.stringify({ mcp: { gateway: { type: "remote", url } } }),
    },
    logIn: command("auth", "gateway"),
    call: command("list"),
    called: /✓ gateway.*connected/,
    logOut: command("logout", "gateway"),
    denied: /the user has not allowed it/,
  };
}

Deno.test({
  name: "Published clients log in with a browser, call, refresh, log out, and are refused",
  ignore: canLeaveOut("chromium"),
  fn: async (t) => {
    await using gateway = await Sluice.start({ args: ["--demo"] });
    const user = { email: "ann@x.org", password: PASSWORD, full_name: "Ann", is_admin: true };
    assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);
    await using browser = await UiBrowser.start(gateway.url);
    await browser.open("sign-in");
    await browser.page.getByLabel("Email address").fill(user.email);
    await browser.page.getByLabel("Password").fill(PASSWORD);
    await browser.page.getByRole("button", { name: "Sign in" }).click();
    await browser.page.getByRole("link", { name: "Overview" }).first().waitFor();
    const context = browser.page.context();
    const url = `${gateway.url}/mcp`;
    // On other machines the registry has no opencode.
    const ignore = Deno.build.arch !== "x86_64";
    await t.step({ name: "opencode", ignore, fn: () => checkLoginClient(opencode(url), context) });
    await t.step("FastMCP", async () => {
      const home = await ClientHome.make();
      const script = pythonScript(2, "oauth_client.py", url);
      const allowed = await home.answer(script, "Allow", context);
      assertEquals([allowed.code, /^hi$/m.test(allowed.text)], [0, true], allowed.text);
      assertEquals((await home.opened()).length, 1);
      assertMatch((await home.answer(script, "Cancel", context)).text, /Access was denied/);
      await home.remove();
    });
  },
});
