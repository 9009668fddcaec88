// Signs the requests to an upstream with AWS Signature Version 4, as servers behind AWS IAM want it.
import { SluiceError } from "../../base/errors.ts";
import type { Headers } from "../http1/request_head.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../http_client/http_client.ts";
import type { Authorization } from "../authorization/upstream_logins.ts";

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary keys; null: the keys stay valid. */
  readonly sessionToken: string | null;
  readonly region: string;
  /** The name of the AWS service in the signature, such as `bedrock-agentcore`. */
  readonly service: string;
}

/** The service s3 wants the hash of the body in a header too, and the library signs no body without. */
const BODY_HASH = "x-amz-content-sha256";
const WITH_BODY_HASH = "s3";

/** Headers that the signature brings. A caller's cannot take their place. */
const SIGNED: ReadonlySet<string> = new Set([
  ...["authorization", "x-amz-date", "x-amz-security-token"],
  // AWS takes it in place of the body's own hash.
  BODY_HASH,
]);

/** Key ids that fit into the header of the signature (AWS IAM API, AccessKey: "[\w]+"). */
const ACCESS_KEY_ID = /^\w{1,256}$/;
const SESSION_TOKEN = /^[\x21-\x7e]+$/;

/** A signing key is good for a day. Those of former days are dropped. */
const MAX_SIGNING_KEYS = 2;

export class SignedClient implements HttpClient {
  readonly #client: HttpClient;
  readonly #origin: string;
  readonly #keys: AwsKeys;
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor(
    client: HttpClient,
    origin: string,
    keys: AwsKeys,
    private readonly now: () => number = Date.now,
  ) {
    this.#client = client;
    this.#origin = origin;
    this.#keys = keys;
  }

  /** @throws {SluiceError} of `send`: UPSTREAM_LOGIN_FAILED if no header can carry the keys */
  async send(request: HttpRequest): Promise<HttpResponse> {
    if (request.url.origin !== this.#origin) return await this.#client.send(request);
    return await this.#client.send({ ...request, headers: await this.#signed(request) });
  }

  close(): void {
    this.#client.close();
  }

  /** Signs the address, the body and the headers of the protocol. Servers in between may change the others. */
  async #signed({ method, url, headers, body, upstream }: HttpRequest): Promise<Headers> {
    const { sessionToken, ...keys } = this.#keys;
    if (
      !ACCESS_KEY_ID.test(keys.accessKeyId) || (sessionToken !== null && !SESSION_TOKEN.test(sessionToken))
    ) {
      const reason =
        "access_key_id or session_token of aws_config has characters that no AWS key has. Give the right ones";
      throw new SluiceError("UPSTREAM_LOGIN_FAILED", { upstream, reason });
    }
    // Loaded on first use: most gateways have no such upstream.
    const { AwsV4Signer } = await import("aws4fetch");
    const signable = headers.filter(([name]) => name.startsWith("mcp-"));
    if (keys.service === WITH_BODY_HASH) signable.push([BODY_HASH, await sha256(body ?? "")]);
    if (this.#signingKeys.size >= MAX_SIGNING_KEYS) this.#signingKeys.clear();
    const signed = await new AwsV4Signer({
      ...{ ...keys, method, body, url: url.href, cache: this.#signingKeys },
      sessionToken: sessionToken ?? undefined,
      datetime: new Date(this.now()).toISOString().replaceAll(/[:-]|\.\d+/g, ""),
      headers: signable.map(([name, value]) => [name, value]),
    }).sign();
    const own = [...SIGNED].flatMap((name) => {
      const value = signed.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    return Object.freeze([...headers.filter(([name]) => !SIGNED.has(name)), ...own]);
  }
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}

/**
 * The login of an upstream, with signatures over its requests.
 * @param keys null: requests are not signed
 * @param below the login below the signatures; undefined: none
 */
export function signedOver(
  keys: AwsKeys | null,
  url: string,
  below: Authorization | undefined,
): Authorization | undefined {
  if (keys === null) return below;
  const { origin } = new URL(url);
  return {
    over: (client) => new SignedClient(below?.over(client) ?? client, origin, keys),
    secretsOf: (headers) => [...secretsOf(keys), ...below?.secretsOf(headers) ?? []],
    owner: null,
  };
}

/** As headers, which are hidden where the upstream repeats them. */
export function secretsOf({ secretAccessKey, sessionToken }: AwsKeys): (readonly [string, string])[] {
  const token = sessionToken === null ? [] : [["x-amz-security-token", sessionToken] as const];
  return [["x-amz-secret", secretAccessKey], ...token];
}
