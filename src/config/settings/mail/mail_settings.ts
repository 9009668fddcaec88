// Settings of mail over SMTP, under ContextForge's names. The gateway sends mail for forgotten passwords only.
import { bool, int, type Kind, seconds, setting, text, type Unit } from "../setting.ts";

const anything = () => text("a text", /[^]/);

/** A row of this table. */
function row<const Name extends string, K extends Kind<unknown, Unit>, const Default extends string | null>(
  name: Name,
  kind: K,
  preset: Default,
  doc: string,
) {
  return setting({ name, kind, default: preset, scope: "replica", reloadable: true, state: "active", doc });
}

export const MAIL_SETTINGS = [
  row(
    "SMTP_ENABLED",
    bool(),
    "false",
    "Send one-time links to users who have forgotten their passwords. Needs SMTP_HOST, SMTP_FROM_EMAIL and GATEWAY_PUBLIC_URL.",
  ),
  // These names are other programs' too, so that `config/mail.ts` judges the values, and only with SMTP_ENABLED.
  row("SMTP_HOST", anything(), null, "The mail server."),
  row("SMTP_PORT", anything(), null, "The port of the mail server. Not set: 587."),
  row("SMTP_USER", anything(), null, "The user at the mail server. Not set: no login."),
  {
    ...row("SMTP_PASSWORD", anything(), null, "The password of SMTP_USER."),
    secret: "value",
  } as const,
  row(
    "SMTP_FROM_EMAIL",
    text("an email address", /^[^\s@<>,;"\p{C}]+@[^\s@<>,;"\p{C}]+$/u),
    null,
    "The sender of the mails.",
  ),
  row(
    "SMTP_FROM_NAME",
    text("a text in one line", /^[^\p{C}]{1,255}$/u),
    "Sluice",
    "The name of the sender.",
  ),
  row(
    "SMTP_USE_TLS",
    bool(),
    "true",
    "The connection has to become encrypted by STARTTLS. false: mails and the password go in plain text.",
  ),
  row(
    "SMTP_USE_SSL",
    bool(),
    "false",
    "The connection is encrypted from its start, as at port 465. SMTP_USE_TLS has no effect then.",
  ),
  row(
    "SMTP_TIMEOUT_SECONDS",
    seconds({ min: 1, max: 120 }),
    "15",
    "Longest time to connect to the mail server, and longest silence of it.",
  ),
  row(
    "PASSWORD_RESET_RATE_LIMIT",
    int({ min: 1, max: 1_000 }),
    "5",
    "Links that one email address can ask for in a window of PASSWORD_RESET_RATE_WINDOW_MINUTES. LOGIN_ATTEMPTS_PER_MINUTE limits " +
      "the requests of one client.",
  ),
  row(
    "PASSWORD_RESET_RATE_WINDOW_MINUTES",
    int({ min: 1, max: 1_440, hint: "minutes" }),
    "15",
    "The window of PASSWORD_RESET_RATE_LIMIT.",
  ),
] as const;
