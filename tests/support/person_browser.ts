// A user of the gateway at a browser, who connects upstreams on the gateway's pages.
import { assertEquals } from "@std/assert";
import type { Gateway } from "./gateway.ts";
import { PASSWORD } from "./oauth_person.ts";
import { Browser, type Shown } from "./oidc_provider.ts";

export class PersonBrowser {
  readonly browser = new Browser();

  private constructor(readonly url: string, readonly email: string, readonly token: string) {}

  /** Makes a user, and signs in. @param at the address of the replica */
  static async make(
    gateway: Gateway,
    email: string,
    more: Record<string, unknown> = {},
  ): Promise<PersonBrowser> {
    const user = { email, password: PASSWORD, is_admin: false, ...more };
    assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);
    return await PersonBrowser.signIn(gateway, email);
  }

  static async signIn(gateway: Gateway, email: string): Promise<PersonBrowser> {
    const { status, body } = await gateway.api("POST", "/auth/login", { email, password: PASSWORD }, null);
    assertEquals(status, 200);
    return PersonBrowser.withToken(gateway, email, body.access_token);
  }

  /** Somebody who is signed in at the gateway's pages. */
  static withToken({ url }: Pick<Gateway, "url">, email: string, token: string): PersonBrowser {
    const person = new PersonBrowser(url, email, token);
    const { origin } = new URL(url);
    person.browser.cookies.set("session", {
      origin,
      path: "/admin",
      name: "sluice_session",
      value: token,
    });
    return person;
  }

  /** Who is at the browser, for the upstream's authorization server. */
  isAt(issuer: string, person: string): void {
    const { origin } = new URL(issuer);
    this.browser.cookies.set(`person ${origin}`, { origin, path: "/", name: "person", value: person });
  }

  /** Presses the button of the connect page. @returns where the browser goes on to */
  async begin(gatewayId: string): Promise<string> {
    const page = await this.browser.open(`${this.url}/admin/connections/${gatewayId}`, { form: {} });
    const to = /http-equiv="refresh" content="0;url=([^"]+)"/.exec(page.text)?.[1];
    if (to === undefined) {
      throw new Error(`no login begins (HTTP ${page.status}): ${page.text.slice(-1_500)}`);
    }
    return to.replaceAll("&amp;", "&");
  }

  /** Logs in at an upstream, from the connect page and back. */
  async connect(gatewayId: string): Promise<Shown> {
    return await this.browser.open(await this.begin(gatewayId));
  }
}
