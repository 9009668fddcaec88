// A forgotten password, with a real mail server: the link comes by mail, and no answer tells who has an account.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { makeCertificates } from "../support/postgres_certificates.ts";
import { MailServer } from "../support/mail_server.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const PASSWORD = "correct horse battery";
const LOGIN = { user: "sluice@example.com", password: "the mail server's" };

Deno.test("A forgotten password is set anew by a link that comes by mail, and nobody learns who has an account", async () => {
  await using mail = await MailServer.start({ login: LOGIN });
  const port = freePort();
  await using sluice = await Sluice.start({
    env: {
      PORT: String(port),
      SMTP_ENABLED: "true",
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(mail.port),
      SMTP_USER: LOGIN.user,
      SMTP_PASSWORD: LOGIN.password,
      SMTP_FROM_EMAIL: "gateway@example.com",
      SMTP_USE_TLS: "false",
      GATEWAY_PUBLIC_URL: `http://127.0.0.1:${port}`,
      PASSWORD_RESET_RATE_LIMIT: "2",
      LOGIN_ATTEMPTS_PER_MINUTE: "1000",
      AUDIT_TRAIL_ENABLED: "true",
      CACHE_TYPE: "database",
    },
  });
  const users = "/auth/email/admin/users";
  for (const email of ["ann@example.com", "off@example.com", "bob@example.com"]) {
    await sluice.api("POST", users, { email, password: PASSWORD, is_active: email !== "off@example.com" });
  }
  const ask = async (email: string, host?: string) => {
    const response = await fetch(`${sluice.url}/auth/email/forgot-password`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(host === undefined ? {} : { "x-forwarded-host": host }),
      },
      body: JSON.stringify({ email }),
    });
    return { status: response.status, body: await response.json() };
  };

  // Known, unknown and deactivated addresses are answered alike.
  const answers = [];
  for (const email of ["Ann@Example.com", "nobody@example.com", "off@example.com"]) {
    answers.push(await ask(email, "evil.example"));
  }
  assertEquals(answers[0]!.status, 200);
  for (const answer of answers) assertEquals(answer, answers[0]);
  await waitFor(() => mail.mails.length === 1, { what: "the mail" });
  const [{ from, to, user, text }] = mail.mails;
  assertEquals([from, to, user], ["gateway@example.com", ["ann@example.com"], LOGIN.user]);
  // The link begins with the gateway's own address, whatever host the request named.
  const [, token] = new RegExp(`http://127\\.0\\.0\\.1:${port}/admin/reset-password#([\\w-]{32})\r?\n`).exec(
    text,
  )!;
  assertStringIncludes(text, "Subject: Set a new password");

  // The link is looked at, and works once. The token of the former login ends.
  const { body: login } = await sluice.api("POST", "/auth/login", {
    email: "ann@example.com",
    password: PASSWORD,
  }, null);
  const path = `/auth/email/reset-password/${token}`;
  const looked = await sluice.api("GET", path, undefined, null);
  assertEquals([looked.status, looked.body.valid], [200, true]);
  assert(Date.parse(looked.body.expires_at) > Date.now());
  await waitFor(() => Date.now() % 1_000 > 50, { what: "a second to have begun" });
  const NEW = "staple battery horse";
  const reset = () => sluice.api("POST", path, { new_password: NEW, confirm_password: NEW }, null);
  assertEquals([(await reset()).status, (await reset()).status], [200, 401]);
  assertEquals((await sluice.api("GET", path, undefined, null)).status, 401);
  const logIn = async (password: string) =>
    (await sluice.api("POST", "/auth/login", { email: "ann@example.com", password }, null)).status;
  assertEquals([await logIn(PASSWORD), await logIn(NEW)], [401, 200]);
  assert(login.access_token !== undefined);

  // The pages: a link at the sign-in, and the same words for every address.
  const page = async (path: string, form?: Record<string, string>) => {
    const response = await fetch(`${sluice.url}/admin/${path}`, {
      method: form === undefined ? "GET" : "POST",
      body: form && new URLSearchParams(form),
      headers: form ? { origin: sluice.url } : {},
    });
    return { status: response.status, text: await response.text() };
  };
  assertStringIncludes((await page("sign-in")).text, `<a href="forgot-password">`);
  assertEquals((await page("forgot-password")).status, 200);
  const shown = await page("forgot-password", { email: "bob@example.com" });
  assertEquals([shown.status, await page("forgot-password", { email: "eve@example.com" })], [200, shown]);
  await waitFor(() => mail.mails.length === 2, { what: "the second mail" });

  // An address has a limit, known or not, over both workers; so the mailbox of a user is not flooded.
  for (const email of ["bob@example.com", "eve@example.com"]) {
    assertEquals([(await ask(email)).status, (await ask(email)).status], [200, 429]);
  }
  assertMatch(
    (await ask("bob@example.com")).body.detail,
    /^More than 2 requests in 15 minutes \(PASSWORD_RESET_RATE_LIMIT\)/,
  );
  await waitFor(() => mail.mails.length === 3, { what: "the third mail" });

  // A mail server that refuses is in the log and the metrics, and in no answer.
  mail.refuses = true;
  assertEquals(await ask("ann@example.com"), answers[0]);
  await waitFor(async () => await metric(sluice, "sluice_password_mails_total", `outcome="failed"`) === 1, {
    what: "the failure in the metrics",
  });
  await waitFor(async () => await metric(sluice, "sluice_password_mails_total", `outcome="sent"`) === 3, {
    what: "the mails in the metrics",
  });
  const logText = () => sluice.log().map((line) => JSON.stringify(line)).join("\n");
  await waitFor(() => logText().includes("mail for a forgotten password not sent"), {
    what: "the line in the log",
  });
  const log = logText();
  assertEquals([LOGIN.password, token!, "reset-password#"].filter((secret) => log.includes(secret)), []);
  const records = await waitFor(async () => {
    const { body } = await sluice.api("GET", "/audit?limit=500");
    const asked = body.records.filter(({ operation }: Record<string, string>) =>
      operation === "forgotPassword"
    );
    return asked.length >= 8 && body.records;
  }, { what: "a record of each request" });
  assertEquals(JSON.stringify(records).includes(token!), false);
});

Deno.test("A gateway that sends no mail says so", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const { status, body } = await sluice.api(
    "POST",
    "/auth/email/forgot-password",
    { email: "a@x.org" },
    null,
  );
  assertEquals(status, 403);
  assertStringIncludes(body.detail, "ask an administrator for a one-time link");
  const page = await fetch(`${sluice.url}/admin/sign-in`);
  assertEquals((await page.text()).includes("forgot-password"), false);
});

Deno.test("Mail goes encrypted to a mail server of a private authority, by STARTTLS and by TLS from the start, and to no other one", async () => {
  const { ca, cert, key } = await makeCertificates();
  const folder = await Deno.makeTempDir({ prefix: "sluice_mail_" });
  try {
    await Deno.writeTextFile(`${folder}/ca.pem`, ca);
    for (const [isImplicit, isTrusted] of [[false, true], [true, true], [false, false]] as const) {
      await using mail = await MailServer.start({ login: LOGIN, tls: { cert, key }, isImplicit });
      await using sluice = await Sluice.start({
        env: {
          ...{ WORKERS: "1", SMTP_ENABLED: "true", SMTP_HOST: "127.0.0.1", SMTP_PORT: String(mail.port) },
          ...{ SMTP_USER: LOGIN.user, SMTP_PASSWORD: LOGIN.password, SMTP_FROM_EMAIL: "gateway@example.com" },
          ...{ SMTP_USE_SSL: String(isImplicit), GATEWAY_PUBLIC_URL: "https://g.example" },
          ...(isTrusted ? { DENO_CERT: `${folder}/ca.pem` } : {}),
        },
      });
      await sluice.api("POST", "/auth/email/admin/users", { email: "ann@example.com", password: PASSWORD });
      await sluice.api("POST", "/auth/email/forgot-password", { email: "ann@example.com" }, null);
      const outcome = isTrusted ? "sent" : "failed";
      await waitFor(
        async () => await metric(sluice, "sluice_password_mails_total", `outcome="${outcome}"`) === 1,
        { what: `a mail to be ${outcome}` },
      );
      assertEquals(
        mail.mails.map(({ user, isEncrypted }) => [user, isEncrypted]),
        isTrusted ? [[LOGIN.user, true]] : [],
      );
      if (isTrusted) continue;
      const line = await waitFor(
        () =>
          sluice.log().map((line) => JSON.stringify(line)).find((text) => text.includes("password not sent")),
        { what: "the reason in the log" },
      );
      assertMatch(line, /certificate\. Name the certificate's authority by DENO_CERT/);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
