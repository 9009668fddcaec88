// Credentials of upstreams that refer to secrets of the operator: files below SECRETS_DIRECTORY, and what SECRET_COMMAND prints.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { post, toolCall } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";
import { Sluice } from "../support/sluice.ts";
import { answerTo } from "../support/fast_upstream.ts";
import { metric } from "../support/metric.ts";
import { waitFor } from "../support/wait_for.ts";

/** An upstream that takes these values of `authorization` and of the parameter `key`, and keeps what it has got. */
function guarded() {
  const takes = { authorization: new Set<string>(), key: new Set<string>() };
  const got: string[] = [];
  let repeats = false;
  const sockets = new Set<WebSocket>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const given = request.headers.get("authorization") ?? "";
    const key = new URL(request.url).searchParams.get("key") ?? "";
    got.push(given || key);
    if (repeats) return Response.json({ message: `no way: ${request.url} ${given}` }, { status: 400 });
    if (!takes.authorization.has(given) && !takes.key.has(key)) return new Response(null, { status: 401 });
    if (request.headers.has("upgrade")) {
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp", idleTimeout: 0 });
      sockets.add(socket);
      socket.onmessage = ({ data }) => {
        const { id, method, params = {} } = JSON.parse(data);
        if (id !== undefined) {
          socket.send(JSON.stringify({ jsonrpc: "2.0", id, ...answerTo(method, params) }));
        }
      };
      return response;
    }
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params = {} } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    return Response.json({ jsonrpc: "2.0", id, ...answerTo(method, params) });
  });
  const repeat = (whether: boolean) => repeats = whether;
  return {
    takes,
    got,
    repeat,
    /** Ends all WebSockets. */
    hangUp: () => {
      for (const socket of sockets) socket.close();
      sockets.clear();
    },
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    close: () => {
      for (const socket of sockets) socket.close();
      return server.shutdown();
    },
  };
}

Deno.test("Credentials refer to files and to a command of the operator, and follow their changes", async (t) => {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "sluice_secrets_" }));
  await Deno.mkdir(`${folder}/secrets/crm`, { recursive: true });
  // As /var/run/secrets is: /var/run is a link.
  await Deno.symlink(folder, `${folder}/run`);
  const secrets = `${folder}/run/secrets`;
  const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
  await write("secrets/crm/token", "first\n");
  await write("secrets/large", "x".repeat(70_000));
  await write("secrets/empty", "\n");
  await write("outside", "outside-secret");
  await Deno.symlink(`${folder}/outside`, `${secrets}/link`);
  await write("printed", "printed-1");
  const program = `${folder}/secret.sh`;
  await write(
    "secret.sh",
    `#!/bin/sh
case "$1" in
  crm) echo run >> ${folder}/runs; cat ${folder}/printed ;;
  variables) env | tr '\\n' ' ' >&2; exit 1 ;;
  sealed) echo "the vault is sealed" >&2; echo half-a-secret; exit 3 ;;
  slow) sleep 30 ;;
  endless) yes ;;
esac
`,
  );
  await Deno.chmod(program, 0o755);
  const upstream = guarded();
  const { takes, got } = upstream;
  takes.authorization.add("Bearer first");
  takes.key.add("printed-1");
  await using sluice = await Sluice.start({
    env: {
      SECRETS_DIRECTORY: secrets,
      SECRET_COMMAND: program,
      SECRET_COMMAND_TIMEOUT: String(Math.ceil(await paced(1))),
      SECRET_COMMAND_TTL: "1",
      JWT_SECRET_KEY: "a-key-that-the-command-must-not-see-0123456789",
    },
  });
  const call = async (name: string): Promise<string> => {
    const { body } = await post(sluice, toolCall(`${name}-echo`, { message: "hi" }), { path: "/rpc" });
    return body.result?.content[0].text ?? JSON.stringify(body.error);
  };
  const register = (name: string, auth: Record<string, unknown>) =>
    sluice.api("POST", "/gateways", { name, url: upstream.url, ...auth });
  const bearer = (text: string) => ({ auth_type: "bearer", auth_token: text });

  await t.step("a file's content is sent, and the answers have the reference masked", async () => {
    const { status, body } = await register("crm", {
      auth_type: "authheaders",
      auth_headers: [{ key: "Authorization", value: "Bearer ${file:crm/token}" }],
    });
    assertEquals([status, body.warnings], [200, undefined], JSON.stringify(body));
    assertEquals(JSON.stringify(body).includes("first"), false);
    for (let i = 0; i < 4; i++) assertEquals(await call("crm"), "hi");
  });

  await t.step("a refused secret is read again, and the call is sent once more", async () => {
    await write("secrets/crm/token", "second");
    takes.authorization.clear();
    takes.authorization.add("Bearer second");
    await waitFor(async () => await call("crm") === "hi", { what: "the second secret" });
  });

  await t.step("SIGHUP reads it again, though the upstream takes the former one", async () => {
    takes.authorization.add("Bearer third");
    await write("secrets/crm/token", "third");
    Deno.kill(sluice.pid, "SIGHUP");
    await waitFor(() => sluice.log().some(({ event }) => event === "secrets of upstreams are read again"), {
      what: "the reload",
    });
    got.length = 0;
    for (let i = 0; i < 6; i++) assertEquals(await call("crm"), "hi");
    assertEquals(new Set(got), new Set(["Bearer third"]));
  });

  await t.step(
    "a command prints the secret of a parameter, and runs again after a refusal and after its time",
    async () => {
      const { status, body } = await register("tickets", {
        auth_type: "query_param",
        auth_query_param_key: "key",
        auth_query_param_value: "${secret:crm}",
      });
      assertEquals(status, 200, JSON.stringify(body));
      for (let i = 0; i < 6; i++) assertEquals(await call("tickets"), "hi");
      await write("printed", "printed-2");
      takes.key.clear();
      takes.key.add("printed-2");
      await waitFor(async () => await call("tickets") === "hi", { what: "the new secret" });
      takes.key.add("printed-1").add("printed-3");
      await write("printed", "printed-3");
      await waitFor(async () => {
        await call("tickets");
        return got.at(-1) === "printed-3";
      }, { what: "the secret that the upstream had no reason to refuse" });
    },
  );

  await t.step("a WebSocket has the secret of its time, and is asked once more with a new one", async () => {
    await write("secrets/socket", "socket-1");
    takes.authorization.add("Bearer socket-1");
    const { status, body } = await sluice.api("POST", "/gateways", {
      ...{ name: "socket", url: upstream.url.replace("http", "ws"), transport: "WEBSOCKET" },
      ...bearer("${file:socket}"),
    });
    assertEquals(status, 200, JSON.stringify(body));
    assertEquals(await call("socket"), "hi");
    takes.authorization.delete("Bearer socket-1");
    takes.authorization.add("Bearer socket-2");
    await write("secrets/socket", "socket-2");
    upstream.hangUp();
    await waitFor(async () => await call("socket") === "hi", { what: "the socket with the new secret" });
    assertEquals(got.includes("Bearer socket-2"), true);
  });

  await t.step("files of clients have references too", async () => {
    const headers = { Authorization: "Bearer ${file:crm/token}" };
    const servers = { imported: { url: `${upstream.url}?imported`, headers } };
    const { status, body } = await sluice.api("POST", "/import/mcp-servers", { servers });
    assertEquals([status, body.servers?.[0].outcome], [200, "taken"], JSON.stringify(body));
    assertEquals(await call("imported"), "hi");
  });

  await t.step("what cannot be read is named, without a secret", async () => {
    for (
      const [reference, reason] of [
        ["${file:none}", "there is no such file"],
        ["${file:../outside}", "is not below SECRETS_DIRECTORY"],
        ["${file:link}", ""],
        ["${file:/etc/passwd}", "is not below SECRETS_DIRECTORY"],
        ["${file:crm}", "is no file"],
        ["${file:large}", "is longer than 65536 bytes"],
        ["${file:empty}", "is empty"],
        ["${secret:sealed}", "exit code 3; the end of its stderr: the vault is sealed"],
        ["${secret:slow}", "SECRET_COMMAND_TIMEOUT"],
        ["${secret:endless}", "is longer than 65536 bytes"],
      ] as const
    ) {
      const { status, body } = await register("odd", bearer(reference));
      assertEquals(status, 502, JSON.stringify(body));
      assertStringIncludes(body.detail, reason);
      assertEquals(/outside-secret|half-a-secret|root:/.test(JSON.stringify(body)), false);
    }
    const failed = (kind: string) =>
      metric(sluice, "sluice_secret_reads_failed_total", `upstream="odd",kind="${kind}"`);
    await waitFor(async () => await failed("file") >= 5 && await failed("secret") === 3, {
      what: "the count of secrets that cannot be read",
    });
    const { body } = await register("odd", bearer("${secret:variables}"));
    assertEquals(body.detail.includes("must-not-see"), false);
    assertStringIncludes(body.detail, "exit code 1");
    assertEquals(/outside-secret|half-a-secret/.test(got.join()), false);
  });

  await t.step("an upstream that repeats its secrets does not bring them to the registry", async () => {
    upstream.repeat(true);
    for (const name of ["crm", "tickets"]) {
      let shown = "";
      await waitFor(async () => {
        await call(name);
        shown = String((await sluice.api("GET", `/gateways/${name}`)).body.lastError);
        return shown.includes("no way");
      }, { what: "the words of the upstream" });
      assertEquals(/Bearer third|printed-\d/.test(shown), false, shown);
    }
    upstream.repeat(false);
  });

  await t.step("nobody but an administrator writes a reference, and the stored ones stay", async () => {
    const made = await sluice.api("POST", "/auth/email/admin/users", {
      email: "dev@example.com",
      password: "a-Password-of-dev-1",
      full_name: "Dev",
    });
    assertEquals(made.status, 201, JSON.stringify(made.body));
    const role = { role_id: "developer", scope: "global" };
    const given = await sluice.api("POST", "/rbac/users/dev@example.com/roles", role);
    assertEquals(given.status < 300, true, JSON.stringify(given.body));
    const token = await sluice.token({ username: "dev@example.com", admin: false, claims: { teams: null } });
    const asDev = (method: string, path: string, body: unknown) => sluice.api(method, path, body, token);
    const refused = await asDev("POST", "/gateways", {
      name: "theft",
      url: upstream.url,
      ...bearer("${file:crm/token}"),
    });
    assertEquals(refused.status, 422, JSON.stringify(refused.body));
    assertStringIncludes(
      JSON.stringify(refused.body),
      "only an administrator may refer to ${file:crm/token}",
    );

    // An administrator gives an upstream of the developer's a secret, which the developer wants to have elsewhere.
    takes.authorization.add("Bearer own").add("Bearer of-the-team");
    await write("secrets/team", "of-the-team");
    const own = await asDev("POST", "/gateways", { name: "own", url: upstream.url, ...bearer("own") });
    assertEquals(own.status, 200, JSON.stringify(own.body));
    const referred = await sluice.api("PUT", "/gateways/own", bearer("${file:team}"));
    assertEquals(referred.status, 200, JSON.stringify(referred.body));
    const stolen: string[] = [];
    const thief = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      stolen.push(`${request.headers.get("authorization")} ${await request.text()}`);
      return Response.json({ access_token: "own", token_type: "bearer", expires_in: 100 });
    });
    const oauth = {
      grant_type: "client_credentials",
      client_id: "x",
      token_url: `http://127.0.0.1:${thief.addr.port}/token`,
    };
    for (
      const login of [
        { auth_type: "oauth", oauth_config: { ...oauth, client_secret: "${file:team}" } },
        { auth_type: "authheaders", auth_headers: [{ key: "x-page", value: "${file:team}" }] },
      ]
    ) {
      const { status, body } = await asDev("PUT", "/gateways/own", login);
      assertEquals([status, stolen], [422, []], JSON.stringify(body));
      assertStringIncludes(JSON.stringify(body), "only an administrator may refer to ${file:team}");
    }
    const kept = await asDev("PUT", "/gateways/own", {
      auth_type: "bearer",
      auth_token: "*****",
      tags: ["x"],
    });
    assertEquals([kept.status, await call("own")], [200, "hi"], JSON.stringify(kept.body));
    await thief.shutdown();

    await write("secrets/team", "x");
    await write("secret.sh", "#!/bin/sh\necho the-words-of-the-vault >&2; exit 3\n");
    Deno.kill(sluice.pid, "SIGHUP");
    let answer = "";
    await waitFor(async () => (answer = await call("tickets")).includes("exit code 3"), {
      what: "the failure",
    });
    assertEquals(answer.includes("the-words-of-the-vault"), false, answer);
  });

  await t.step("the gateway has given up the rest of the disk", () => {
    const { read } = sluice.log().find(({ event }) => event === "permissions") as unknown as {
      read: string[];
    };
    assertEquals([Array.isArray(read), read.includes(secrets)], [true, true]);
  });
  const text = [...sluice.stdout.lines, ...sluice.stderr.lines].join("\n");
  assertEquals(/Bearer (first|second|third)|printed-\d/.test(text), false);
  await upstream.close();
  await Deno.remove(folder, { recursive: true });
});
