// Real clients that know nothing but an address: a person signs in and allows them in Chromium, they call, refresh, and are disconnected.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ChildOutput } from "../support/child_output.ts";
import { endChild } from "../support/end_child.ts";
import { freePort } from "../support/free_port.ts";
import { checkLoginClient } from "../support/login_client.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { PASSWORD, requestOf, sendForm } from "../support/oauth_person.ts";
import { canLeaveOut } from "../support/programs.ts";
import { pythonProgram } from "../support/python_programs.ts";
import { INFO, SdkProvider, SDKS } from "../support/sdk_logins.ts";
import { Sluice } from "../support/sluice.ts";
import { UiBrowser } from "../support/ui_browser.ts";
import { waitFor } from "../support/wait_for.ts";

/** The program behind a redirect URI on this machine. */
function callbackServer() {
  const answer = Promise.withResolvers<URLSearchParams>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/callback") {
      answer.resolve(url.searchParams);
      // As clients do that show the last page on a site of theirs.
      return Response.redirect(`http://localhost:${url.port}/done`);
    }
    if (url.pathname !== "/done") return new Response(null, { status: 404 });
    return new Response(
      "<!doctype html><title>Done</title><link rel=icon href=data:,><p>Back at the client",
      {
        headers: { "content-type": "text/html" },
      },
    );
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/callback`,
    answer: answer.promise,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test({
  name: "Real clients log in with a browser, call, refresh, and are disconnected",
  ignore: canLeaveOut("chromium"),
  fn: async (t) => {
    await using gateway = await Sluice.start({ args: ["--demo"] });
    const user = { email: "ann@x.org", password: PASSWORD, full_name: "Ann", is_admin: true };
    assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);
    await gateway.api("POST", "/servers", { server: { id: "clock", name: "The clock" } });
    await using browser = await UiBrowser.start(gateway.url);
    const { page } = browser;
    const allow = () => page.getByRole("button", { name: "Allow" }).click();

    for (const [i, { name, connect, redeem }] of SDKS.entries()) {
      await t.step(name, async () => {
        await using callback = callbackServer();
        const url = `${gateway.url}/${i === 0 ? "mcp" : "servers/clock/mcp"}`;
        const provider = new SdkProvider(callback.url);
        await assertRejects(() => connect(url, provider));
        const asked = provider.opened!;
        assertEquals(asked.searchParams.get("resource"), url);

        await page.goto(asked.href);
        if (i === 0) {
          // The first time, the person signs in, and comes back to the question.
          assertStringIncludes(page.url(), "/admin/sign-in?next=authorize");
          await page.getByLabel("Email address").fill(user.email);
          await page.getByLabel("Password").fill("wrong");
          await page.getByRole("button", { name: "Sign in" }).click();
          await page.getByText("Wrong email or password").waitFor();
          await page.getByLabel("Password").fill(PASSWORD);
          await page.getByRole("button", { name: "Sign in" }).click();
        }
        await page.getByRole("heading", { name: "Allow Real client?" }).waitFor();
        const text = await page.textContent("main") ?? "";
        assertStringIncludes(text, "ann@x.org");
        assertStringIncludes(text, i === 0 ? "Everything that you see" : "The virtual server The clock");
        await browser.look();
        await allow();
        await page.getByText("Back at the client").waitFor();
        const answer = await callback.answer;
        assertEquals([answer.get("state"), answer.get("iss")], ["the state", gateway.url]);
        await redeem(url, provider, answer);

        const connection = await connect(url, provider);
        assertEquals((await connection.listTools()).tools.length > 0, i === 0);
        await connection.close();

        // A token that is refused is refreshed, without anybody being asked.
        const { access_token: before } = provider.tokens();
        provider.saveTokens({ ...provider.tokens(), access_token: `${before}x` });
        provider.opened = null;
        const refreshed = await connect(url, provider);
        assertEquals((await refreshed.listTools()).tools.length > 0, i === 0);
        await refreshed.close();
        assert(provider.tokens().access_token !== before);
        assertEquals(provider.opened, null);

        // Disconnected by its user, the client has to ask again.
        await browser.open("applications");
        await browser.look();
        await page.getByRole("row", { name: url }).getByRole("button", { name: "Disconnect" }).click();
        await browser.answer("Disconnect");
        await page.getByText("The application is disconnected.").waitFor();
        await assertRejects(() => connect(url, provider));
        assert(provider.opened !== null);
      });
    }

    await t.step("a person who says no", async () => {
      await using callback = callbackServer();
      const provider = new SdkProvider(callback.url);
      await assertRejects(() => SDKS[0]!.connect(`${gateway.url}/mcp`, provider));
      await page.goto(provider.opened!.href);
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByText("Back at the client").waitFor();
      const answer = await callback.answer;
      assertEquals([answer.get("error"), answer.get("code")], ["access_denied", null]);
    });

    await t.step("a terminal", async () => {
      const grantType = "urn:ietf:params:oauth:grant-type:device_code";
      const metadata = { client_name: "A terminal", grant_types: [grantType] };
      const { body: { client_id } } = await gateway.api("POST", "/oauth/register", metadata, null);
      const { body } = await sendForm(`${gateway.url}/oauth/device_authorization`, { client_id });
      await browser.open("device");
      await browser.look();
      const code = page.getByLabel("Code");
      await code.fill("BBBB-BBBB");
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("type it again").waitFor();
      await code.fill(body.user_code);
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("Go on only if your own terminal shows this code.").waitFor();
      await browser.look();
      await allow();
      await page.getByText("The application is connected. Go back to your terminal.").waitFor();
      const redeem = { grant_type: grantType, device_code: body.device_code, client_id };
      assertEquals((await sendForm(`${gateway.url}/oauth/token`, redeem)).status, 200);
    });

    await t.step("the Python SDK", async () => {
      await using callback = callbackServer();
      const child = pythonProgram("oauth_client.py", `${gateway.url}/mcp`, callback.url).spawn();
      const [stdout, stderr] = [new ChildOutput(child.stdout), new ChildOutput(child.stderr)];
      await waitFor(() => stdout.lines.length === 1, { what: "the address to visit" });
      await page.goto(stdout.lines[0]!);
      await allow();
      await page.getByText("Back at the client").waitFor();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(`${callback.url}?${await callback.answer}\n`));
      await writer.close();
      const { code } = await child.status;
      await Promise.all([stdout.ended, stderr.ended]);
      assertEquals(code, 0, stderr.lines.join("\n"));
      assertStringIncludes(stdout.lines[1]!, "demo-convert-time");
    });

    await t.step("mcp-remote", async () => {
      const home = await Deno.makeTempDir();
      const { command, args } = npmProgram("mcp-remote", `${gateway.url}/mcp`, String(freePort()));
      const child = new Deno.Command(command, {
        args,
        env: { HOME: home, MCP_REMOTE_CONFIG_DIR: home, BROWSER: "none" },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const [stdout, stderr] = [new ChildOutput(child.stdout), new ChildOutput(child.stderr)];
      const addressIn = () => /https?:\/\/\S+\/oauth\/authorize\?\S+/.exec(stderr.lines.join("\n"))?.[0];
      await waitFor(() => addressIn() !== undefined, { what: "the address to visit" });
      // Its own page asks for an icon when its server may have gone.
      const other = await page.context().newPage();
      await other.goto(addressIn()!);
      await other.getByRole("button", { name: "Allow" }).click();
      await other.waitForURL(/\/oauth\/callback/);
      await other.close();
      const writer = child.stdin.getWriter();
      const send = (message: unknown) =>
        writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: INFO };
      await send({ jsonrpc: "2.0", id: 1, method: "initialize", params });
      await send({ jsonrpc: "2.0", method: "notifications/initialized" });
      await send({ jsonrpc: "2.0", id: 2, method: "tools/list" });
      await waitFor(() => stdout.lines.some((line) => line.includes("demo-convert-time")), {
        what: "the tools",
      });
      await writer.close();
      await endChild(child);
      await Promise.all([stdout.ended, stderr.ended]);
      await Deno.remove(home, { recursive: true });
    });
    await t.step("the command line of the Inspector", async () => {
      const inspector = (...more: string[]) => {
        const callback = `http://127.0.0.1:${port}/oauth/callback`;
        const flags = ["--transport", "http", "--callback-url", callback, ...more];
        const env = { MCP_AUTO_OPEN_ENABLED: "true", MCP_INSPECTOR_SECRET_STORE: "file" };
        return { ...npmProgram("mcp-inspector", "--cli", `${gateway.url}/mcp`, ...flags), env };
      };
      const port = freePort();
      await checkLoginClient({
        logIn: inspector("--relogin", "--method", "tools/list"),
        call: inspector(
          ...["--method", "tools/call", "--tool-name", "demo-echo", "--tool-arg", "message=hi"],
        ),
        logOut: null,
        denied: /the user has not allowed it/,
      }, page.context());
    });

    await t.step("the page of the Inspector", async () => {
      const home = await Deno.makeTempDir();
      const config = { mcpServers: { gateway: { type: "streamable-http", url: `${gateway.url}/mcp` } } };
      await Deno.writeTextFile(`${home}/servers.json`, JSON.stringify(config));
      const { command, args } = npmProgram("mcp-inspector", "--config", `${home}/servers.json`);
      const [CLIENT_PORT, MCP_SANDBOX_PORT] = [String(freePort()), String(freePort())];
      const env = { HOME: home, MCP_AUTO_OPEN_ENABLED: "false", CLIENT_PORT, MCP_SANDBOX_PORT };
      const child = new Deno.Command(command, { args, env, stdin: "null", stdout: "piped", stderr: "piped" })
        .spawn();
      const [stdout, stderr] = [new ChildOutput(child.stdout), new ChildOutput(child.stderr)];
      const addressIn = () => /http:\S+MCP_INSPECTOR_API_TOKEN=\S+/.exec(stdout.lines.join("\n"))?.[0];
      await waitFor(() => addressIn() !== undefined, { what: "the Inspector" });
      const other = await page.context().newPage();
      await other.goto(addressIn()!);
      await other.getByRole("switch").first().click({ force: true });
      await other.getByRole("button", { name: "Allow" }).click();
      await other.getByText("Authentication succeeded.").waitFor();
      await other.getByText("Connected", { exact: true }).waitFor();
      await other.close();
      await endChild(child);
      await Promise.all([stdout.ended, stderr.ended]);
      await Deno.remove(home, { recursive: true });
    });

    await t.step("a web page that opens the login in a window, and is told how it went", async () => {
      let asked = "";
      const html = (body: string) =>
        new Response(`<!doctype html><title>Site</title><link rel=icon href=data:,>${body}`, {
          headers: { "content-type": "text/html" },
        });
      const site = Deno.serve(
        { port: 0, hostname: "127.0.0.1", onListen: () => {} },
        (request) =>
          new URL(request.url).pathname === "/callback"
            ? html("<script>opener.postMessage(location.search, location.origin); close()</script>")
            : html(
              `<button onclick="window.open('${asked}')">Log in</button><p id=told></p>` +
                "<script>onmessage = ({ data }) => told.textContent = data</script>",
            ),
      );
      const home = `http://127.0.0.1:${site.addr.port}`;
      const redirect_uri = `${home}/callback`;
      const metadata = { client_name: "A site", redirect_uris: [redirect_uri] };
      const { body: { client_id } } = await gateway.api("POST", "/oauth/register", metadata, null);
      asked = `${gateway.url}/oauth/authorize?${requestOf({ client_id, redirect_uri })}`;
      await page.context().clearCookies();
      await page.goto(home);
      const opening = page.waitForEvent("popup");
      await page.getByRole("button", { name: "Log in" }).click();
      const popup = await opening;
      await popup.getByLabel("Email address").fill(user.email);
      await popup.getByLabel("Password").fill(PASSWORD);
      await popup.getByRole("button", { name: "Sign in" }).click();
      // The window closes itself, perhaps before the click has returned.
      const closed = popup.waitForEvent("close");
      await popup.getByRole("button", { name: "Allow" }).click().catch(async (error) => {
        if (!popup.isClosed()) throw error;
      });
      await closed;
      await page.getByText("code=").waitFor();
      await site.shutdown();
    });
    assertEquals(browser.faults, []);
  },
});
