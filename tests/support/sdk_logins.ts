// The two official SDKs as clients that log in: what they keep, and how they connect.
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";

export const INFO = { name: "Real client", version: "1.0.0" };

/** What both SDKs ask of a program: to keep tokens, and to open a browser. */
export class SdkProvider {
  // deno-lint-ignore no-explicit-any -- the types of two SDKs
  #kept: Record<string, any> = {};
  opened: URL | null = null;

  constructor(readonly redirectUrl: string) {}

  get clientMetadata() {
    return { client_name: INFO.name, redirect_uris: [this.redirectUrl], token_endpoint_auth_method: "none" };
  }
  clientInformation = () => this.#kept.client;
  saveClientInformation = (client: unknown) => void (this.#kept.client = client);
  tokens = () => this.#kept.tokens;
  saveTokens = (tokens: unknown) => void (this.#kept.tokens = tokens);
  codeVerifier = () => this.#kept.verifier;
  saveCodeVerifier = (verifier: string) => void (this.#kept.verifier = verifier);
  redirectToAuthorization = (url: URL) => void (this.opened = url);
  state = () => "the state";
  invalidateCredentials = (what: string) => {
    if (what === "tokens" || what === "all") delete this.#kept.tokens;
    if (what === "client" || what === "all") delete this.#kept.client;
  };
}

export interface SdkConnection {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<{ content: unknown }>;
  close(): Promise<void>;
}

/** A way to connect with a provider. The transport redeems the code. */
export interface Sdk {
  readonly name: string;
  readonly connect: (url: string, provider: SdkProvider) => Promise<SdkConnection>;
  readonly redeem: (url: string, provider: SdkProvider, answer: URLSearchParams) => Promise<void>;
}

export const SDKS: readonly Sdk[] = [
  {
    name: "SDK v1",
    connect: async (url, authProvider) => {
      const client = new ClientV1(INFO);
      await client.connect(new TransportV1(new URL(url), { authProvider: authProvider as never }) as never);
      return client as never;
    },
    redeem: (url, authProvider, answer) =>
      new TransportV1(new URL(url), { authProvider: authProvider as never }).finishAuth(answer.get("code")!),
  },
  {
    name: "SDK v2",
    connect: async (url, authProvider) => {
      const client = new ClientV2(INFO);
      await client.connect(new TransportV2(new URL(url), { authProvider: authProvider as never }));
      return client as never;
    },
    redeem: (url, authProvider, answer) =>
      new TransportV2(new URL(url), { authProvider: authProvider as never }).finishAuth(answer),
  },
];
