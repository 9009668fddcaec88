// Forgotten passwords: a one-time link by mail. A request is answered before anybody looks whether the user exists, so that neither the
// answer nor its time tells who has an account.
import type { PeopleStore } from "../../store/people/people_store.ts";
import { normalEmail } from "../../store/people/users.ts";
import type { Log } from "../../telemetry/log.ts";
import type { AttemptLimit, LoginAttempts } from "./login_attempts.ts";
import { digest } from "./logins.ts";
import { passwordLink, passwordToken } from "./one_time_links.ts";
import type { SendMail } from "./smtp.ts";

export type PasswordMailOutcome = "sent" | "failed" | "no_user" | "dropped";

export interface PasswordMailsDeps {
  readonly people: PeopleStore;
  readonly send: SendMail;
  readonly attempts: LoginAttempts;
  /** PASSWORD_RESET_RATE_LIMIT, by email address. */
  readonly limit: AttemptLimit;
  /** PASSWORD_RESET_TOKEN_EXPIRY_MINUTES */
  readonly linkMs: number;
  /** GATEWAY_PUBLIC_URL */
  readonly publicUrl: string;
  readonly log: Log;
  readonly count: (outcome: PasswordMailOutcome) => void;
}

/** Mails that a worker sends at once, and requests that wait. Further ones are dropped: their users ask again. */
const MAX_AT_ONCE = 2;
const MAX_WAITING = 64;

export class PasswordMails {
  readonly #waiting: string[] = [];
  #running = 0;

  constructor(private readonly deps: PasswordMailsDeps) {}

  /** @param address of the client. @throws {SluiceError} RATE_LIMITED, whether or not there is such a user */
  async request(email: string, address: string): Promise<void> {
    const { attempts, limit, count } = this.deps;
    await attempts.require([`address:${address}`]);
    await attempts.require([`forgotten:${digest(normalEmail(email))}`], limit);
    if (this.#waiting.length >= MAX_WAITING) {
      count("dropped");
      return;
    }
    this.#waiting.push(normalEmail(email));
    if (this.#running < MAX_AT_ONCE) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running++;
    for (let email = this.#waiting.shift(); email !== undefined; email = this.#waiting.shift()) {
      await this.#answer(email);
    }
    this.#running--;
  }

  async #answer(email: string): Promise<void> {
    const { people, send, linkMs, publicUrl, log, count } = this.deps;
    try {
      const user = await people.users.get(email);
      // A user of an identity provider has no password to forget.
      if (user?.isActive !== true || user.passwordHash === null) return count("no_user");
      const token = await passwordToken(people, user.id, linkMs);
      await send({
        to: user.email,
        subject: "Set a new password",
        text: textOf(publicUrl + passwordLink(token), user.email, linkMs),
      });
      count("sent");
    } catch (error) {
      count("failed");
      log.warning("mail for a forgotten password not sent", { reason: String(error).slice(0, 500) });
    }
  }
}

function textOf(link: string, email: string, linkMs: number): string {
  const minutes = Math.round(linkMs / 60_000);
  return [
    `Somebody has asked for a new password of ${email} at ${new URL(link).host}.`,
    "",
    "This link sets one. It works once, within " + (minutes === 1 ? "a minute" : `${minutes} minutes`) + ":",
    "",
    link,
    "",
    "If it was not you, do nothing: the present password stays as it is.",
    "",
  ].join("\n");
}
