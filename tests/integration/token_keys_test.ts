// A gateway that signs with a key pair: its commands, its logins, and tokens that try to pass for its own.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { generateKeyPairSync } from "node:crypto";
import { decodeProtectedHeader } from "jose";
import { loadOrCreateSecrets } from "../../src/store/secrets.ts";
import { runCli } from "../support/cli.ts";
import { inSession, openSession, post } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { mintToken } from "../support/tokens.ts";
import { waitFor } from "../support/wait_for.ts";

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

Deno.test("A gateway with a key pair signs by command and at logins, and takes its public key for no secret", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = String(publicKey.export({ type: "spki", format: "pem" }));
    await Deno.writeTextFile(
      `${cwd}/private.pem`,
      String(privateKey.export({ type: "pkcs8", format: "pem" })),
      {
        mode: 0o600,
      },
    );
    await Deno.writeTextFile(`${cwd}/public.pem`, pem);
    const env = {
      JWT_SECRET_KEY: "",
      JWT_ALGORITHM: "ES256",
      JWT_PRIVATE_KEY_PATH: "private.pem",
      JWT_PUBLIC_KEY_PATH: "public.pem",
      POLL_INTERVAL: "0.1",
      MAX_INTERVAL: "0.2",
    };
    await using sluice = await Sluice.start({ cwd, env });
    const { out, err } = await runCli(["token", "--admin"], { cwd, env });
    const token = out.trim();
    assertEquals([err, decodeProtectedHeader(token).alg], ["", "ES256"]);
    const status = async (bearer: string) =>
      (await sluice.api("GET", "/tokens/revoked", undefined, bearer)).status;
    // Both workers.
    for (let i = 0; i < 6; i++) assertEquals(await status(token), 200);
    for (const secret of [pem, pem.trim()]) assertEquals(await status(await mintToken(secret)), 401);

    const login = { email: "ann@example.com", password: "correct horse battery" };
    const created = await sluice.api("POST", "/auth/email/admin/users", login, token);
    assertEquals(created.status, 201, JSON.stringify(created.body));
    const { body } = await sluice.api("POST", "/auth/login", login, null);
    const { access_token: own } = body as { access_token: string };
    assertEquals(decodeProtectedHeader(own).kid, decodeProtectedHeader(token).kid);
    assertEquals((await sluice.api("GET", "/tools", undefined, own)).status, 200);

    // All tokens of one user, and of nobody else.
    const revokeOf = async (user: string) => await runCli(["token", "revoke", "--user", user], { cwd, env });
    const revoked = await revokeOf(login.email);
    const validFrom = Date.parse(revoked.out.trim().split(" ").at(-1)!);
    assertEquals(
      [revoked.code, Date.now() >= validFrom],
      [0, true],
      "tokens that are made now are later ones",
    );
    await waitFor(async () => (await sluice.api("GET", "/tools", undefined, own)).status === 401, {
      what: "the user's token to be refused",
    });
    assertEquals(await status(token), 200);
    const { body: again } = await sluice.api("POST", "/auth/login", login, null);
    assertEquals((await sluice.api("GET", "/tools", undefined, again.access_token)).status, 200);
    assertStringIncludes(
      (await revokeOf("nobody@example.com")).err,
      "no user here has the address nobody@example.com",
    );
    assertEquals((await runCli(["token", "revoke", token], { cwd, env })).code, 0);
    const wrong = await runCli(["token"], { cwd, env: { ...env, JWT_ALGORITHM: "RS256" } });
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.err, "private.pem: the key is for ES256, and JWT_ALGORITHM is RS256");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("`sluice keys rotate` gives a new key, beside which the former one's tokens stay valid until --now", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const env = { JWT_SECRET_KEY: "" };
    const rotate = async (...flags: string[]) => await runCli(["keys", "rotate", ...flags], { cwd, env });
    const mint = async () => (await runCli(["token", "--admin"], { cwd, env })).out.trim();
    const absent = await rotate();
    assertEquals(
      [absent.code, absent.err.includes("there is no such file: no gateway has run here. Start one")],
      [1, true],
    );
    await loadOrCreateSecrets(`sqlite:///${cwd}/mcp.db`);
    const former = await mint();
    assertEquals((await rotate()).code, 0);
    const current = await mint();
    const revoke = async (token: string) => (await runCli(["token", "revoke", token], { cwd, env })).code;
    {
      // Two replicas of one database, with two workers each. Neither is restarted.
      await using one = await Sluice.start({ cwd, env });
      await using two = await Sluice.start({ cwd, env });
      const statuses = async (token: string) => {
        const asked = [one, two].flatMap((sluice) =>
          Array.from({ length: 8 }, () => post(sluice, LIST, { path: "/rpc", token }))
        );
        return [...new Set((await Promise.all(asked)).map(({ status }) => status))].join();
      };
      const come = (token: string, status: string) =>
        waitFor(async () => await statuses(token) === status, { what: `${status} at every worker` });
      assertEquals([await statuses(former), await statuses(current)], ["200", "200"]);
      assertEquals((await rotate()).code, 0);
      const next = await mint();
      await come(next, "200");
      await come(former, "401");
      assertEquals(await statuses(current), "200");
      const session = await openSession(one, { token: current });
      const headers = {
        authorization: `Bearer ${current}`,
        accept: "text/event-stream",
        ...inSession(session),
      };
      const stream = await fetch(`${one.url}/mcp`, { headers });
      const ended = stream.body!.pipeTo(new WritableStream());
      assertEquals((await rotate("--now")).code, 0);
      await come(await mint(), "200");
      await come(current, "401");
      await come(next, "401");
      await ended;
    }
    assertEquals([await revoke(former), await revoke(current)], [2, 2]);
    const own = await runCli(["keys", "rotate"], {
      cwd,
      env: { JWT_SECRET_KEY: crypto.randomUUID().repeat(2) },
    });
    assertEquals(own.code, 2);
    assertStringIncludes(own.err, "Set JWT_SECRET_KEY_PREVIOUS to its value and JWT_SECRET_KEY to a new one");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("SIGHUP takes another JWT_SECRET_KEY of the settings, and keeps the one that it has if the new one cannot be used", async () => {
  const cwd = await Deno.makeTempDir();
  const [first, second] = [crypto.randomUUID().repeat(2), crypto.randomUUID().repeat(2)];
  const write = (text: string) => Deno.writeTextFile(`${cwd}/.env`, text);
  try {
    await write(`JWT_SECRET_KEY=${first}\n`);
    const env = { JWT_SECRET_KEY: "" };
    const mint = async () => (await runCli(["token", "--admin"], { cwd, env: {} })).out.trim();
    await using sluice = await Sluice.start({ cwd, env });
    const former = await mint();
    const status = async (token: string) => (await post(sluice, LIST, { path: "/rpc", token })).status;
    assertEquals(await status(former), 200);
    const reload = async (event: string) => {
      const before = sluice.log().filter((line) => line.event === event).length;
      Deno.kill(sluice.pid, "SIGHUP");
      await waitFor(() => sluice.log().filter((line) => line.event === event).length > before, {
        what: event,
      });
    };
    await write(`JWT_SECRET_KEY=${second}\nJWT_SECRET_KEY_PREVIOUS=${first}\n`);
    await reload("token keys reloaded");
    const current = await mint();
    await waitFor(async () => await status(current) === 200, { what: "a token of the new key" });
    assertEquals(await status(former), 200);
    await write(`JWT_SECRET_KEY=short\n`);
    await reload("settings not reloaded");
    assertEquals([await status(current), await status(former)], [200, 200]);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
