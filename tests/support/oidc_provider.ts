// `oidc-provider` from npm as a process, and a browser without scripts that signs people in at its pages.
import { freePort } from "./free_port.ts";
import { nodeProgram, npmModule } from "./npm_programs.ts";
import { waitFor } from "./wait_for.ts";

export type Account = Readonly<Record<string, unknown>>;

export interface OidcClient {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly redirect_uris: readonly string[];
  readonly token_endpoint_auth_method?: string;
  readonly grant_types?: readonly string[];
  readonly response_types?: readonly string[];
  readonly scope?: string;
  /** Public keys, for `private_key_jwt`. */
  readonly jwks?: { readonly keys: readonly JsonWebKey[] };
  readonly backchannel_logout_uri?: string;
  readonly backchannel_logout_session_required?: boolean;
}

export interface TokenFacts {
  readonly person: string;
  readonly resource: string;
  /** Its end, in whole s since the epoch. */
  readonly exp: number;
}

/** A request for a token that the provider has answered. */
export interface Grant {
  readonly kind: string;
  readonly person: string | null;
  readonly refreshToken: string | null;
  /** null: it was granted. */
  readonly error: string | null;
}

export class OidcProvider implements AsyncDisposable {
  readonly issuer: string;
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<unknown>;
  #isOver = false;

  private constructor(port: number, child: Deno.ChildProcess) {
    this.issuer = `http://127.0.0.1:${port}`;
    this.#child = child;
    this.#output = child.stdout.pipeTo(new WritableStream());
  }

  static async start(
    clients: readonly OidcClient[],
    accounts: Readonly<Record<string, Account>>,
    port = freePort(),
    more: {
      readonly takesRegistrations?: boolean;
      readonly signsAccessTokens?: boolean;
      /** Life of access tokens, s. */
      readonly accessTokenS?: number;
    } = {},
  ): Promise<OidcProvider> {
    const script = new URL("./oidc_provider.mjs", import.meta.url).pathname;
    const child = new Deno.Command(nodeProgram(), {
      args: [
        script,
        npmModule("oidc-provider/lib/index.js"),
        JSON.stringify({ port, clients, accounts, ...more }),
      ],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const provider = new OidcProvider(port, child);
    const isUp = () => fetch(`${provider.issuer}/jwks`).then((answer) => answer.json(), () => null);
    await waitFor(isUp, { what: "the identity provider" });
    return provider;
  }

  /** Gives accounts other claims. */
  async change(accounts: Readonly<Record<string, Account>>): Promise<void> {
    await this.#command("POST", "/test/accounts", JSON.stringify(accounts));
  }

  /** What an access token is for; null: there is none of this value. */
  async token(value: string): Promise<TokenFacts | null> {
    return await this.#command("POST", "/test/facts", value);
  }

  /** What the token endpoint was asked, and how many of its answers wait. */
  async grants(): Promise<{ readonly grants: readonly Grant[]; readonly held: number }> {
    return await this.#command("GET", "/test/grants");
  }

  /** Executes requests for tokens, and has their answers wait until `letGo()`. */
  async hold(): Promise<void> {
    await this.#command("POST", "/test/hold");
  }

  async letGo(): Promise<void> {
    await this.#command("POST", "/test/let-go");
  }

  // deno-lint-ignore no-explicit-any -- each command has an answer of its own
  async #command(method: string, path: string, body?: string): Promise<any> {
    return await (await fetch(this.issuer + path, { method, body })).json();
  }

  /** A token of an account for the audience "gateway", as JWT. */
  async tokenOf(account: string, clientId: string): Promise<string> {
    const body = JSON.stringify({ account, client_id: clientId });
    return await (await fetch(`${this.issuer}/test/token`, { method: "POST", body })).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.#child.kill("SIGKILL");
    this.#isOver = true;
    await Promise.all([this.#child.status, this.#output]);
  }
}

export interface Shown {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A browser without scripts: it keeps cookies by host and path, and follows redirects. */
export class Browser {
  /** By origin, path and name. */
  readonly cookies = new Map<string, { origin: string; path: string; name: string; value: string }>();
  /** The Set-Cookie headers of all answers, as they came. */
  readonly setCookies: string[] = [];

  /** @param until stops at an address that this accepts, before it is asked */
  async open(
    url: string,
    { form, until = () => false, accept = "text/html" }: {
      readonly form?: Readonly<Record<string, string>>;
      readonly until?: (url: string) => boolean;
      readonly accept?: string;
    } = {},
  ): Promise<Shown> {
    let body = form === undefined ? undefined : new URLSearchParams(form);
    for (let hops = 0; hops < 20; hops++) {
      if (until(url)) return { url, status: 0, headers: new Headers(), text: "" };
      const answer = await fetch(url, {
        method: body === undefined ? "GET" : "POST",
        headers: { accept, cookie: this.cookiesFor(url), ...(body && { origin: new URL(url).origin }) },
        body,
        redirect: "manual",
      });
      this.#keep(url, answer.headers);
      const location = answer.headers.get("location");
      if (answer.status < 300 || answer.status > 399 || location === null) {
        return { url, status: answer.status, headers: answer.headers, text: await answer.text() };
      }
      await answer.body?.cancel();
      url = new URL(location, url).href;
      body = undefined;
    }
    throw new Error(`too many redirects, the last to ${url}`);
  }

  /**
   * Signs in at the pages of the provider, from the address where a sign-in starts.
   * @param until as of `open`, such as the address of the gateway that the provider sends the browser back to
   */
  async signIn(
    start: string,
    login: string,
    until?: (url: string) => boolean,
    accept?: string,
  ): Promise<Shown> {
    let page = await this.open(start, { until, accept });
    // A page to log in, unless the browser is logged in there, and a page to consent.
    for (let pages = 0; pages < 3; pages++) {
      const action = /<form[^>]* action="([^"]+)"/.exec(page.text)?.[1];
      const prompt = /name="prompt" value="(\w+)"/.exec(page.text)?.[1];
      if (action === undefined || prompt === undefined) return page;
      const form: Record<string, string> = prompt === "login"
        ? { prompt, login, password: "any" }
        : { prompt };
      page = await this.open(new URL(action, page.url).href, { form, until, accept });
    }
    return page;
  }

  cookiesFor(url: string): string {
    const { origin, pathname } = new URL(url);
    return [...this.cookies.values()]
      .filter((cookie) => cookie.origin === origin && pathname.startsWith(cookie.path))
      .map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  #keep(url: string, headers: Headers): void {
    const { origin } = new URL(url);
    for (const text of headers.getSetCookie()) {
      this.setCookies.push(text);
      const [pair, ...attributes] = text.split(";").map((part) => part.trim());
      const at = pair.indexOf("=");
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
      const valueOf = (attribute: string) =>
        attributes.find((each) => each.toLowerCase().startsWith(`${attribute}=`))?.split("=")[1];
      const path = valueOf("path") ?? "/";
      const key = `${origin} ${path} ${name}`;
      const isGone = valueOf("max-age") === "0" || value === "" ||
        Date.parse(valueOf("expires") ?? "") < Date.now();
      if (isGone) this.cookies.delete(key);
      else this.cookies.set(key, { origin, path, name, value });
    }
  }
}
