import { assertEquals, assertStringIncludes } from "@std/assert";
import { type MailConfig, mailRulesOf } from "./mail.ts";

const CONFIG: MailConfig = {
  ...{ smtpEnabled: true, smtpHost: "mail.example.com", smtpPort: null, smtpUser: null, smtpPassword: null },
  ...{ smtpFromEmail: "gateway@example.com", smtpFromName: "Sluice", smtpUseTls: true, smtpUseSsl: false },
  ...{ smtpTimeoutSecondsMs: 15_000, gatewayPublicUrl: "https://g.example/x" },
};

Deno.test("mailRulesOf() needs a server, a sender and the gateway's own address, and a password for a login", () => {
  const mistakes = (given: Partial<MailConfig>) => mailRulesOf({ ...CONFIG, ...given }).mistakes;
  assertEquals(mistakes({}), []);
  assertEquals(mistakes({ smtpEnabled: false, smtpHost: null }), []);
  assertStringIncludes(mistakes({ gatewayPublicUrl: null })[0]!, "needs GATEWAY_PUBLIC_URL");
  assertStringIncludes(
    mistakes({ smtpHost: null, smtpFromEmail: null })[0]!,
    "needs SMTP_HOST and SMTP_FROM_EMAIL",
  );
  // As Kubernetes sets it for a service with the name "smtp".
  assertStringIncludes(mistakes({ smtpPort: "tcp://10.0.0.1:25" })[0]!, "SMTP_PORT must be");
  assertStringIncludes(mistakes({ smtpHost: "mail.example.com:25/x" })[0]!, "SMTP_HOST must be");
  assertStringIncludes(mistakes({ smtpUser: "u" })[0]!, "needs SMTP_PASSWORD");
});

Deno.test("mailRulesOf() encrypts unless it is told not to, and warns then", () => {
  const of = (given: Partial<MailConfig>) => {
    const { rules, warnings } = mailRulesOf({ ...CONFIG, ...given });
    return [rules?.security, warnings.length];
  };
  assertEquals(of({}), ["starttls", 0]);
  assertEquals(of({ smtpUseSsl: true, smtpUseTls: false }), ["tls", 0]);
  assertEquals(of({ smtpUseTls: false }), ["none", 1]);
});
