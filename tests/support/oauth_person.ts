// A person with a browser, and an OAuth client on the wire: what each sends to a gateway's authorization server, step by step.
import { assertEquals } from "@std/assert";
import type { Gateway } from "./gateway.ts";

export const PASSWORD = "A-long-Password-7";

/** The redirect URI of clients on a web site, for which consent is remembered. */
export const SITE = "https://app.example/cb";

export interface TokenAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** A PKCE pair. */
export async function pkce(): Promise<{ readonly verifier: string; readonly challenge: string }> {
  const encode = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  const verifier = encode(crypto.getRandomValues(new Uint8Array(32)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return { verifier, challenge: encode(new Uint8Array(digest)) };
}

/** A form, as browsers and clients send it. */
export async function sendForm(
  url: string,
  form: Readonly<Record<string, string>> | URLSearchParams,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  const response = await fetch(url, { method: "POST", body: new URLSearchParams(form), headers });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

export class OAuthPerson {
  private constructor(readonly gateway: Gateway, readonly email: string, readonly token: string) {}

  /** Makes a user, and logs in. */
  static async make(
    gateway: Gateway,
    email: string,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<OAuthPerson> {
    const user = { email, password: PASSWORD, is_admin: false, ...more };
    assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);
    return await OAuthPerson.logIn(gateway, email);
  }

  static async logIn(gateway: Gateway, email: string): Promise<OAuthPerson> {
    const { status, body } = await gateway.api("POST", "/auth/login", { email, password: PASSWORD }, null);
    assertEquals(status, 200);
    return new OAuthPerson(gateway, email, body.access_token);
  }

  get cookie(): string {
    return `sluice_session=${this.token}`;
  }

  /** @returns the id of a new client */
  async register(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const metadata = { client_name: "App", redirect_uris: [SITE], ...more };
    const { status, body } = await this.gateway.api("POST", "/oauth/register", metadata, null);
    assertEquals(status, 201, JSON.stringify(body));
    return body.client_id;
  }

  /** Opens the page of an authorization request. */
  async open(request: URLSearchParams, cookie = this.cookie): Promise<Response> {
    const first = await fetch(`${this.gateway.url}/oauth/authorize?${request}`, { redirect: "manual" });
    await first.body?.cancel();
    assertEquals(first.status, 302);
    return await fetch(first.headers.get("location")!, {
      redirect: "manual",
      headers: { cookie, accept: "text/html" },
    });
  }

  /** Sends the form of the page. */
  async decide(
    request: URLSearchParams,
    {
      scopes = ["tools.read", "tools.execute", "resources.read", "prompts.read"],
      decision = "allow",
      headers = {},
    }: {
      readonly scopes?: readonly string[];
      readonly decision?: string;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Response> {
    const form = new URLSearchParams({ request: request.toString(), decision });
    for (const scope of scopes) form.append("scope", scope);
    return await fetch(`${this.gateway.url}/admin/authorize`, {
      method: "POST",
      redirect: "manual",
      headers: { cookie: this.cookie, origin: this.gateway.url, accept: "text/html", ...headers },
      body: form,
    });
  }

  /** The parameters that an answer sends to the client. */
  static async answerOf(response: Response): Promise<URLSearchParams> {
    await response.body?.cancel();
    assertEquals(response.status, 303);
    return new URL(response.headers.get("location")!).searchParams;
  }

  /** Logs a client in. @returns its tokens, and what they are refreshed with */
  async connect(
    clientId: string,
    { resource = `${this.gateway.url}/mcp`, redirectUri = SITE, scopes }: {
      readonly resource?: string;
      readonly redirectUri?: string;
      readonly scopes?: readonly string[];
    } = {},
  ): Promise<
    {
      readonly access: string;
      readonly refresh: string;
      readonly code: string;
      readonly redeem: Record<string, string>;
    }
  > {
    const { verifier, challenge } = await pkce();
    const request = requestOf({
      client_id: clientId,
      resource,
      redirect_uri: redirectUri,
      code_challenge: challenge,
    });
    const answer = await OAuthPerson.answerOf(await this.decide(request, { scopes }));
    const code = answer.get("code")!;
    const redeem = {
      ...{ grant_type: "authorization_code", code, redirect_uri: redirectUri, client_id: clientId },
      code_verifier: verifier,
    };
    const { status, body } = await sendForm(`${this.gateway.url}/oauth/token`, redeem);
    assertEquals(status, 200, JSON.stringify(body));
    return { access: body.access_token, refresh: body.refresh_token, code, redeem };
  }

  async refresh(
    clientId: string,
    refreshToken: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<TokenAnswer> {
    return await sendForm(`${this.gateway.url}/oauth/token`, {
      ...{ grant_type: "refresh_token", refresh_token: refreshToken, client_id: clientId },
      ...more,
    });
  }
}

/** An authorization request. Undefined leaves a parameter out. */
export function requestOf(given: Readonly<Record<string, string | undefined>>): URLSearchParams {
  const all = {
    ...{ response_type: "code", redirect_uri: SITE, code_challenge_method: "S256", state: "a state" },
    code_challenge: "c".repeat(43),
    ...given,
  };
  return new URLSearchParams(
    Object.entries(all).filter(([, value]) => value !== undefined) as [string, string][],
  );
}
