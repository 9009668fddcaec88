// Logins, forgotten passwords and join requests as a hostile user tries them from outside, against two workers.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { MailServer } from "../support/mail_server.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const PASSWORD = "correct horse battery";
const USERS = "/auth/email/admin/users";

async function start(mail: MailServer) {
  const port = freePort();
  const sluice = await Sluice.start({
    env: {
      ...{ PORT: String(port), SMTP_ENABLED: "true", SMTP_HOST: "127.0.0.1", SMTP_PORT: String(mail.port) },
      ...{ SMTP_FROM_EMAIL: "gateway@example.com", SMTP_USE_TLS: "false" },
      ...{ GATEWAY_PUBLIC_URL: "https://g.example", LOGIN_ATTEMPTS_PER_MINUTE: "1000" },
      ...{ FAILED_LOGIN_MIN_RESPONSE_MS: "0", AUDIT_TRAIL_ENABLED: "true" },
      ...{ MAX_MEMBERS_PER_TEAM: "3", MAX_TEAMS_PER_USER: "2", SSRF_ALLOW_LOCALHOST: "true" },
    },
  });
  /** One request over a connection of its own, so that both workers answer some. */
  const ask = async (method: string, path: string, body?: unknown, token?: string | null) => {
    const response = await fetch(sluice.url + path, {
      method,
      headers: {
        connection: "close",
        ...(token == null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text), text };
  };
  const add = (email: string, more: Record<string, unknown> = {}) =>
    sluice.api("POST", USERS, { email, password: PASSWORD, ...more });
  const logIn = async (email: string, password = PASSWORD): Promise<string> => {
    const { body } = await ask("POST", "/auth/login", { email, password });
    assert(body.access_token !== undefined, JSON.stringify(body));
    return body.access_token;
  };
  const everywhere = async (token: string, path = "/auth/email/me") => [
    ...new Set(
      await Promise.all(
        Array.from({ length: 8 }, async () => (await ask("GET", path, undefined, token)).status),
      ),
    ),
  ];
  return { sluice, ask, add, logIn, everywhere };
}

Deno.test("Nobody goes on with a login that has ended, takes another user's password, or enters a team alone", async (t) => {
  await using mail = await MailServer.start();
  const { sluice, ask, add, logIn, everywhere } = await start(mail);
  await using _ = sluice;
  for (const email of ["root@x.org", "eve@x.org"]) await add(email, { is_admin: true });
  for (const email of ["ann@x.org", "bob@x.org", "cat@x.org", "dan@x.org"]) await add(email);
  const refresh = (token: string | null) => ask("POST", "/auth/refresh", undefined, token);

  await t.step("a login is continued once, however many ask at the same time", async () => {
    const token = await logIn("ann@x.org");
    const answers = await Promise.all(Array.from({ length: 12 }, () => refresh(token)));
    const won = answers.filter(({ status }) => status === 200);
    assertEquals([won.length, answers.filter(({ status }) => status === 401).length], [1, 11]);
    assertEquals([await everywhere(token), await everywhere(won[0]!.body.access_token)], [[401], [200]]);
    assertEquals((await refresh(token)).status, 401);
  });

  await t.step("no token of a user who is gone, switched off or logged out is continued", async () => {
    for (
      const [email, end] of [
        ["dan@x.org", (token: string) => ask("POST", "/auth/logout", undefined, token)],
        ["dan@x.org", () => sluice.api("PATCH", `${USERS}/dan@x.org`, { is_active: false })],
        ["eve@x.org", () => sluice.api("DELETE", `${USERS}/eve@x.org`)],
      ] as const
    ) {
      const token = await logIn(email);
      assertEquals(await everywhere(token, USERS), [email === "eve@x.org" ? 200 : 403]);
      const ended = await end(token);
      assert(ended.status < 300, JSON.stringify(ended));
      assertEquals([(await refresh(token)).status, await everywhere(token, USERS)], [401, [401]]);
    }
  });

  await t.step("a user made anew with the address of a deleted one inherits no login", async () => {
    await add("fay@x.org");
    const former = await logIn("fay@x.org");
    const made = await ask("POST", "/tokens", { name: "former", expires_in_days: 1 }, former);
    await sluice.api("DELETE", `${USERS}/fay@x.org`);
    assertEquals(await add("fay@x.org", { is_admin: true }).then(({ status }) => status), 201);
    const present = await logIn("fay@x.org");
    for (const token of [former, made.body.access_token]) {
      assertEquals([await everywhere(token, USERS), (await refresh(token)).status], [[401], 401]);
    }
    assertEquals([await everywhere(present, USERS), (await refresh(present)).status], [[200], 200]);
  });

  await t.step("tokens that are no login are not continued", async () => {
    const ann = await logIn("ann@x.org");
    const made = await ask("POST", "/tokens", { name: "one", expires_in_days: 1 }, ann);
    assertEquals(made.status, 201);
    assertEquals((await refresh(made.body.access_token)).status, 403);
    assertEquals((await refresh(await sluice.token({ username: "ann@x.org" }))).status, 403);
    assertEquals((await refresh(null)).status, 401);
  });

  await t.step("a link of a mail works once, for its user, and the mail has one recipient", async () => {
    await sluice.api("PATCH", `${USERS}/cat@x.org`, { full_name: "Cat\r\nBcc: evil@evil.example" });
    const forgot = (email: unknown) => ask("POST", "/auth/email/forgot-password", { email });
    for (
      const email of ["cat@x.org,evil@evil.example", "cat@x.org\r\nBcc: evil@evil.example", ["cat@x.org"]]
    ) {
      assert([200, 422].includes((await forgot(email)).status));
    }
    assertEquals((await forgot("cat@x.org")).status, 200);
    const linkOf = (index: number) => /reset-password#([\w-]{32})/.exec(mail.mails[index]!.text)![1]!;
    await waitFor(() => mail.mails.length === 1, { what: "the mail" });
    const [{ to, text }] = mail.mails;
    assertEquals([to, /^(Bcc|Cc):/im.test(text)], [["cat@x.org"], false]);
    assertMatch(text, /https:\/\/g\.example\/admin\/reset-password#/);
    const former = linkOf(0);
    await forgot("CAT@x.org");
    await waitFor(() => mail.mails.length === 2, { what: "the second mail" });
    const token = linkOf(1);
    const reset = (token: string, password: string) =>
      ask("POST", "/auth/reset-password", { token, new_password: password });
    // A further link ends the former one.
    assertEquals((await reset(former, "staple battery horse")).status, 401);
    const statuses = (await Promise.all(
      Array.from({ length: 6 }, (_, i) => reset(token, `staple battery horse ${i}`)),
    )).map(({ status }) => status);
    assertEquals(statuses.toSorted(), [200, 401, 401, 401, 401, 401]);
    assertEquals((await reset(token, "staple battery horse")).status, 401);
    await logIn("cat@x.org", `staple battery horse ${statuses.indexOf(200)}`);
  });

  await t.step("a team is entered by its owners' word alone", async () => {
    const owner = await logIn("root@x.org");
    const team = async (visibility: string) =>
      (await ask("POST", "/teams", { name: `crew ${visibility}`, visibility }, owner)).body;
    const [open, closed] = [await team("public"), await team("private")];
    const [ann, bob] = [await logIn("ann@x.org"), await logIn("bob@x.org")];
    const join = (id: string, token: string, message?: string) =>
      ask("POST", `/teams/${id}/join`, message === undefined ? undefined : { message }, token);
    assertEquals([(await join(closed.id, ann)).status, (await join("none", ann)).status], [404, 404]);
    const asked = await join(open.id, ann, "<b>let me in</b>");
    assertEquals([asked.status, asked.body.status], [200, "pending"]);
    const at = `/teams/${open.id}/join-requests`;
    for (const token of [ann, bob]) {
      for (
        const [method, path] of [
          ["GET", at],
          ["POST", `${at}/${asked.body.id}/approve`],
          ["DELETE", `${at}/${asked.body.id}`],
        ] as const
      ) assert([403, 404].includes((await ask(method, path, undefined, token)).status), `${method} ${path}`);
    }
    // The request of one team is not decided by the owner of another.
    const bobs = (await ask("POST", "/teams", { name: "bobs", visibility: "public" }, bob)).body;
    assertEquals(
      (await ask("POST", `/teams/${bobs.id}/join-requests/${asked.body.id}/approve`, undefined, bob)).status,
      404,
    );
    assertEquals((await ask("GET", `/teams/${open.id}`, undefined, ann)).status, 404);
    // Further requests take the place of the former one.
    for (let i = 0; i < 5; i++) await join(open.id, ann);
    const { body: waiting } = await ask("GET", at, undefined, owner);
    assertEquals(waiting.length, 1);
    assertEquals((await ask("POST", `${at}/${asked.body.id}/approve`, undefined, owner)).status, 404);
    // Approved at the same time by several, the user is a member once.
    const approvals = await Promise.all(
      Array.from({ length: 6 }, () => ask("POST", `${at}/${waiting[0].id}/approve`, undefined, owner)),
    );
    assertEquals(approvals.filter(({ status }) => status === 200).length, 1);
    assertEquals(approvals.filter(({ status }) => status >= 500), []);
    assertEquals(await everywhere(ann, `/teams/${open.id}`), [200]);
    // A user who is deleted leaves no request behind.
    assertEquals((await join(open.id, bob)).status, 200);
    await sluice.api("DELETE", `${USERS}/bob@x.org`);
    assertEquals((await ask("GET", at, undefined, owner)).body, []);
    // A deleted team is closed on every worker with the answer.
    assertEquals((await ask("DELETE", `/teams/${open.id}`, undefined, owner)).status < 300, true);
    assertEquals(await everywhere(ann, `/teams/${open.id}`), [404]);
  });

  await t.step("events, imports and cleanups of others are closed", async () => {
    const ann = await logIn("ann@x.org");
    const { body: events } = await ask(
      "GET",
      "/auth/email/events?user_email=cat@x.org&limit=1000",
      undefined,
      ann,
    );
    assertEquals([...new Set(events.map(({ user_email }: Record<string, string>) => user_email))], [
      "ann@x.org",
    ]);
    for (
      const [method, path] of [
        ["GET", "/auth/email/admin/events"],
        ["GET", "/import/status"],
        ["POST", "/import/cleanup"],
        ["GET", "/auth/sso/admin/providers"],
        ["GET", "/auth/sso/pending-approvals"],
      ] as const
    ) assertEquals((await ask(method, path, undefined, ann)).status, 403, path);
  });

  await t.step("what is taken away is gone on every worker with the answer, while others write", async () => {
    const ann = await logIn("ann@x.org");
    let isWriting = true;
    const writer = (async () => {
      for (let i = 0; isWriting; i++) {
        await sluice.api("PATCH", `${USERS}/cat@x.org`, { full_name: `Cat ${i}` });
      }
    })();
    for (let i = 0; i < 4; i++) {
      const given = await sluice.api("POST", "/rbac/users/ann@x.org/roles", {
        role_id: "platform_admin",
        scope: "global",
      });
      assertEquals([given.status, await everywhere(ann, USERS)], [200, [200]]);
      const taken = await sluice.api("DELETE", "/rbac/users/ann@x.org/roles/platform_admin?scope=global");
      assertEquals([taken.status, await everywhere(ann, USERS)], [200, [403]]);
    }
    isWriting = false;
    await writer;
  });
});
