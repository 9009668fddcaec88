// Sends mail over SMTP. The library is loaded with the first mail.
import type { MailRules } from "../../config/mail.ts";

export interface Mail {
  /** One email address. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Resolves when the mail server has taken the mail. @throws {Error} in the library's words, without the password */
export type SendMail = (mail: Mail) => Promise<void>;

/** Each mail has a connection of its own: forgotten passwords are rare, and a connection that waits may be closed by then. */
export function smtpSender({ host, port, login, from, security, timeoutMs }: MailRules): SendMail {
  return async ({ to, subject, text }) => {
    const { createTransport } = await import("nodemailer");
    const transport = createTransport({
      ...{ host, port, secure: security === "tls" },
      requireTLS: security === "starttls",
      ignoreTLS: security === "none",
      auth: login === null ? undefined : { user: login.user, pass: login.password },
      ...{ connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs },
      ...{ dnsTimeout: timeoutMs, disableFileAccess: true, disableUrlAccess: true },
    });
    try {
      // As an object, an address is never read as a list of addresses.
      await transport.sendMail({ from, to: { name: "", address: to }, subject, text });
    } catch (error) {
      const reason = String(error);
      if (!/certificate/i.test(reason)) throw error;
      throw new Error(`${reason}. Name the certificate's authority by DENO_CERT`, { cause: error });
    } finally {
      transport.close();
    }
  };
}
