// Requests to an authorization server and for metadata, as `oauth4webapi` makes them, over the gateway's own client.
import type * as OAuth from "oauth4webapi";
import { isError, reasonOf } from "../../base/errors.ts";
import { SeenAnswer } from "../../base/seen_answer.ts";
import { LoginFault } from "./login_fault.ts";

/** Within limits of time and size, and where the egress guard allows it. Redirects are not followed. */
export type SendToServer = (request: {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** PEM certificates of authorities besides the system's. */
  readonly caCertificate?: string;
  /** The text of the answer is not read. */
  readonly isHeadOnly?: boolean;
}) => Promise<
  {
    readonly status: number;
    readonly contentType: string | null;
    readonly text: string;
    /** The value of WWW-Authenticate. */
    readonly challenge?: string | null;
    /** The value of Mcp-Session-Id. */
    readonly sessionId?: string | null;
  }
>;

export interface LoginExchange {
  readonly send: SendToServer;
  readonly caCertificate: string | undefined;
  /** The upstream itself has no TLS, so that its authorization server needs none. */
  readonly allowsHttp: boolean;
}

/** @throws {LoginFault} if an address must not be asked, or does not answer */
export async function ask(
  { send, caCertificate, allowsHttp }: LoginExchange,
  request: Omit<Parameters<SendToServer>[0], "caCertificate">,
): Promise<Awaited<ReturnType<SendToServer>>> {
  const { url } = request;
  if (url.protocol !== "https:" && !(allowsHttp && url.protocol === "http:")) {
    throw new LoginFault(`its metadata name an address of ${url.protocol.slice(0, 10)} in place of https:`);
  }
  try {
    return await send({ ...request, caCertificate });
  } catch (error) {
    const reason = isError(error, "EGRESS_DENIED")
      ? "the gateway may not connect to its authorization server (SSRF_ALLOWED_NETWORKS, SSRF_ALLOW_PRIVATE_NETWORKS)"
      : "the gateway cannot reach its authorization server";
    throw new LoginFault(reason, {
      cause: new SeenAnswer(`${url.origin}: ${reasonOf(error)}`.slice(0, 400)),
    });
  }
}

/** For the library, in place of the global function. */
export function fetchBy(exchange: LoginExchange) {
  return async (address: string, init: OAuth.CustomFetchOptions<string, unknown>): Promise<Response> => {
    const { status, contentType, text } = await ask(exchange, {
      method: init.method as "GET" | "POST",
      url: new URL(address),
      headers: Object.entries(init.headers),
      body: init.body === undefined || init.body === null ? undefined : String(init.body),
    });
    if (
      status >= 500 || status < 200 || (status >= 300 && status < 400) || status === 204 || status === 205
    ) {
      throw new LoginFault(`its authorization server answered HTTP ${status}`);
    }
    return new Response(text, { status, headers: { "content-type": contentType ?? "" } });
  };
}
