// Credentials of upstreams that refer to secrets of the operator: files below SECRETS_DIRECTORY, and what SECRET_COMMAND prints.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { post, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { answerTo } from "../support/fast_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

/** An upstream that takes these values of `authorization` and of the parameter `key`, and keeps what it has got. */
function guarded() {
  const takes = { authorization: new Set<string>(), key: new Set<string>() };
  const got: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const given = request.headers.get("authorization") ?? "";
    const key = new URL(request.url).searchParams.get("key") ?? "";
    got.push(given || key);
    if (!takes.authorization.has(given) && !takes.key.has(key)) return new Response(null, { status: 401 });
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params = {} } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    return Response.json({ jsonrpc: "2.0", id, ...answerTo(method, params) });
  });
  return { takes, got, url: `http://127.0.0.1:${server.addr.port}/mcp`, close: () => server.shutdown() };
}

Deno.test("Credentials refer to files and to a command of the operator, and follow their changes", async (t) => {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "sluice_secrets_" }));
  const secrets = `${folder}/secrets`;
  await Deno.mkdir(`${secrets}/crm`, { recursive: true });
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
      SECRET_COMMAND_TIMEOUT: "1",
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
    "a command prints the secret of a parameter, is kept, and runs again after a refusal",
    async () => {
      const { status, body } = await register("tickets", {
        auth_type: "query_param",
        auth_query_param_key: "key",
        auth_query_param_value: "${secret:crm}",
      });
      assertEquals(status, 200, JSON.stringify(body));
      for (let i = 0; i < 6; i++) assertEquals(await call("tickets"), "hi");
      const runs = (await Deno.readTextFile(`${folder}/runs`)).trim().split("\n").length;
      assertEquals(runs <= 2, true, `${runs} runs for two workers`);
      await write("printed", "printed-2");
      takes.key.clear();
      takes.key.add("printed-2");
      await waitFor(async () => await call("tickets") === "hi", { what: "the new secret" });
    },
  );

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
        ["${secret:sealed}", "exit code 3: the vault is sealed"],
        ["${secret:slow}", "SECRET_COMMAND_TIMEOUT"],
        ["${secret:endless}", "is longer than 65536 bytes"],
      ] as const
    ) {
      const { status, body } = await register("odd", bearer(reference));
      assertEquals(status, 502, JSON.stringify(body));
      assertStringIncludes(body.detail, reason);
      assertEquals(/outside-secret|half-a-secret|root:/.test(JSON.stringify(body)), false);
    }
    const { body } = await register("odd", bearer("${secret:variables}"));
    assertEquals(body.detail.includes("must-not-see"), false);
    assertStringIncludes(body.detail, "exit code 1");
    assertEquals(/outside-secret|half-a-secret/.test(got.join()), false);
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
