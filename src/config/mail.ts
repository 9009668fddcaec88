// How mail is sent, from the settings SMTP_*.
import type { Config } from "./schema.ts";

/** Plain data. */
export interface MailRules {
  readonly host: string;
  readonly port: number;
  /** null: no login. */
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly from: { readonly name: string; readonly address: string };
  readonly security: "tls" | "starttls" | "none";
  readonly timeoutMs: number;
  /** GATEWAY_PUBLIC_URL: what links begin with. The Host header of a request could be anybody's. */
  readonly publicUrl: string;
}

/** Only the fields that decide about mail: tests name these alone. */
export type MailConfig = Pick<
  Config,
  | "smtpEnabled"
  | "smtpHost"
  | "smtpPort"
  | "smtpUser"
  | "smtpPassword"
  | "smtpFromEmail"
  | "smtpFromName"
  | "smtpUseTls"
  | "smtpUseSsl"
  | "smtpTimeoutSecondsMs"
  | "gatewayPublicUrl"
>;

export interface MailReading {
  /** null: SMTP_ENABLED=false, or there are mistakes. */
  readonly rules: MailRules | null;
  /** Sentences for the operator; the gateway does not start. */
  readonly mistakes: readonly string[];
  readonly warnings: readonly string[];
}

export function mailRulesOf(config: MailConfig): MailReading {
  if (!config.smtpEnabled) return { rules: null, mistakes: [], warnings: [] };
  const { smtpHost: host, smtpFromEmail: address, gatewayPublicUrl: publicUrl, smtpUser: user } = config;
  const portText = config.smtpPort ?? "587";
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  const wrong = [
    ...(port >= 1 && port <= 65_535 ? [] : ["SMTP_PORT must be a whole number from 1 to 65535"]),
    ...(host === null || /^[^\s/@]{1,253}$/.test(host)
      ? []
      : ["SMTP_HOST must be a host name or an address"]),
  ];
  const missing = Object.entries({
    SMTP_HOST: host,
    SMTP_FROM_EMAIL: address,
    GATEWAY_PUBLIC_URL: publicUrl,
    ...(user === null ? {} : { SMTP_PASSWORD: config.smtpPassword }),
  }).filter(([, value]) => value === null).map(([name]) => name);
  if (missing.length > 0) {
    wrong.push(`SMTP_ENABLED=true needs ${missing.join(" and ")}. SMTP_ENABLED=false sends no mail`);
  }
  if (host === null || address === null || publicUrl === null || wrong.length > 0) {
    return { rules: null, mistakes: wrong, warnings: [] };
  }
  const security = config.smtpUseSsl ? "tls" : config.smtpUseTls ? "starttls" : "none";
  return {
    rules: {
      ...{ host, port, security, publicUrl },
      login: user === null ? null : { user, password: config.smtpPassword! },
      from: { name: config.smtpFromName, address },
      timeoutMs: config.smtpTimeoutSecondsMs,
    },
    mistakes: [],
    warnings: security === "none"
      ? [
        `Mail goes to ${host} in plain text (SMTP_USE_TLS=false). Whoever is on the way can read the links, and set passwords with them`,
      ]
      : [],
  };
}
