// Requests of a command to the REST API of a running gateway: the one of this folder, or the one that --url names.

import { METADATA_PATH } from "../../auth/oauth/resources.ts";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import { readFault } from "../../base/file_error.ts";
import { type Loaded, loadProcessConfig } from "../../config/load.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { SseDecoder, type SseEvent } from "../../mcp/sse.ts";
import { Proxies } from "../../upstream/dial/proxies.ts";
import { createHttp1Client } from "../../upstream/http_client/configured_client.ts";
import type { HttpResponse } from "../../upstream/http_client/http_client.ts";
import { tokenClaims } from "./claims_of_flags.ts";
import type { GatewayArgs } from "../commands/command_arguments.ts";
import { signToken } from "../../auth/keys/own_keys.ts";
import { signingKey } from "./gateway_state.ts";
import { localUrl } from "./local_url.ts";
import { programName } from "./program_name.ts";

/** The address of a gateway, without a slash at its end, and an administrator's token for it. */
export interface GatewayAccess {
  readonly url: string;
  /** null: none is sent. */
  readonly token: string | null;
  /** Is it the gateway of this folder, whose key signs the token? */
  readonly isLocal: boolean;
}

export interface GatewayClient {
  readonly url: string;
  /** @returns the parsed answer. @throws {SluiceError} GATEWAY_UNREACHABLE */
  ask(method: "GET" | "POST" | "PUT", path: string, body?: string): Promise<unknown>;
  /** The values of an answer of JSON lines, as they arrive. @throws {SluiceError} as `ask` */
  lines(method: "POST", path: string, body: string): AsyncIterable<unknown>;
  /** The events of a stream, until it ends. @throws {SluiceError} as `ask` */
  events(path: string): AsyncIterable<SseEvent>;
  close(): void;
}

const MAX_HEAD_BYTES = 65_536;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** The life of a token that a command uses for itself. */
const TOKEN_MINUTES = 60;
/** The longest silence of a gateway that works on a request. An import tells of each server when it has tried it. */
const SILENCE_MS = 900_000;
/** Longer than a gateway takes to find out whether it is ready. */
const HEALTH_MS = 5_000;

/** @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, SECRETS_UNUSABLE */
export async function gatewayAccess(args: GatewayArgs, loaded: Loaded): Promise<GatewayAccess> {
  if (args.url !== null) {
    return { url: withoutSlash(args.url), token: tokenFor(args.tokenFile), isLocal: false };
  }
  const { config } = loaded;
  const { keys } = await signingKey(loaded);
  const grants = { username: null, expMinutes: TOKEN_MINUTES, admin: true, teams: null };
  const claims = tokenClaims(grants, config, { nowMs: Date.now(), jti: crypto.randomUUID() });
  return { url: localUrl(config), token: await signToken(claims, keys), isLocal: true };
}

/** Not `fetch`, which would send requests to this machine's own address to the proxy of the environment. */
export async function connectToGateway(args: GatewayArgs): Promise<GatewayClient> {
  const loaded = loadProcessConfig({ dev: false, overrides: {} });
  const access = await gatewayAccess(args, loaded);
  const client = createHttp1Client(loaded.config, {
    maxHeadBytes: MAX_HEAD_BYTES,
    checkAddress: () => {},
    ...(access.isLocal ? {} : { proxies: new Proxies(loaded.config) }),
  });
  const send = async (method: "GET" | "POST" | "PUT", path: string, body?: string): Promise<HttpResponse> => {
    const headers: [string, string][] = [["content-type", "application/json"], [
      "accept",
      "application/json, text/event-stream",
    ]];
    if (access.token !== null) headers.push(["authorization", `Bearer ${access.token}`]);
    const request = {
      ...{ method, headers, body, url: new URL(access.url + path) },
      ...{ upstream: "the gateway", readTimeoutMs: SILENCE_MS, longLived: true },
    };
    const response = await client.send(request).catch((error) => {
      throw unreachable(access, error);
    });
    if (response.status <= 299) return response;
    throw refused(access, response.status, await response.text(MAX_ANSWER_BYTES));
  };
  return {
    url: access.url,
    ask: async (method, path, body) =>
      JSON.parse(await (await send(method, path, body)).text(MAX_ANSWER_BYTES)),
    lines: async function* (method, path, body) {
      const response = await send(method, path, body);
      const decoder = new TextDecoder();
      let rest = "";
      try {
        for await (const chunk of response.chunks()) {
          const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
          rest = lines.pop()!;
          for (const line of lines) yield JSON.parse(line);
        }
      } catch (error) {
        throw unreachable(access, error);
      }
    },
    events: async function* (path) {
      const response = await send("GET", path);
      const decoder = new SseDecoder(MAX_ANSWER_BYTES);
      try {
        for await (const chunk of response.chunks()) yield* decoder.push(chunk);
      } catch (error) {
        throw unreachable(access, error);
      }
    },
    close: () => client.close(),
  };
}

/** Does a gateway answer at this address? */
export async function answers(url: string): Promise<boolean> {
  return await healthOf(url, "/health").then(({ status }) => status === 200, () => false);
}

/** Can a client that has no token log in there? */
export async function takesLogins(url: string): Promise<boolean> {
  return await healthOf(url, METADATA_PATH).then(({ status }) => status === 200, () => false);
}

/** @param given an address; null: that of the gateway of this folder. @throws {SluiceError} GATEWAY_UNREACHABLE, SETTINGS_INVALID */
export async function healthOf(
  given: string | null,
  path: "/health" | "/ready" | typeof METADATA_PATH,
): Promise<{ readonly status: number; readonly text: string }> {
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  const url = given === null ? localUrl(config) : withoutSlash(given);
  const client = createHttp1Client(config, { maxHeadBytes: MAX_HEAD_BYTES, checkAddress: () => {} });
  try {
    const response = await client.send({
      ...{ method: "GET", url: new URL(url + path), headers: [], upstream: "the gateway" },
      readTimeoutMs: HEALTH_MS,
    });
    return { status: response.status, text: await response.text(MAX_HEAD_BYTES) };
  } catch (error) {
    throw unreachable({ url, isLocal: url === localUrl(config) }, error);
  } finally {
    client.close();
  }
}

/** The token for --url: of --token-file, else of the variable SLUICE_TOKEN; null: none. @throws {SluiceError} USAGE_INVALID */
export function tokenFor(tokenFile: string | null): string | null {
  if (tokenFile !== null) return readToken(tokenFile);
  return Deno.env.get("SLUICE_TOKEN")?.trim() || null;
}

/** The token in a file. @throws {SluiceError} USAGE_INVALID */
export function readToken(file: string): string {
  try {
    return Deno.readTextFileSync(file).trim();
  } catch (cause) {
    const mistake = `--token-file ${file} cannot be read: ${readFault(cause)}`;
    throw new SluiceError("USAGE_INVALID", { mistakes: mistake }, { data: [mistake], cause });
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

function unreachable({ url, isLocal }: Pick<GatewayAccess, "url" | "isLocal">, error: unknown): SluiceError {
  const given = error instanceof SluiceError ? String(error.params.reason ?? error.message) : reasonOf(error);
  const remedy = isLocal
    ? `Start it with \`${programName()} serve\`, or name another one by --url`
    : "Start the gateway, or correct --url";
  const reason = isError(error, "UPSTREAM_CONNECT_FAILED")
    ? `no gateway answers there (${given}). ${remedy}`
    : isError(error, "UPSTREAM_TLS_FAILED")
    ? given.includes("does not speak TLS")
      ? `${given}. Use http:// in --url`
      : `${given}. Name the host as its certificate does by --url, and the certificate's authority by DENO_CERT`
    : given;
  return new SluiceError("GATEWAY_UNREACHABLE", { url, reason }, { cause: error });
}

function refused({ url, token, isLocal }: GatewayAccess, status: number, text: string): SluiceError {
  if (status === 401) {
    const reason = isLocal
      ? "it does not accept the key of this folder. Run the command in the gateway's folder and with its settings, or use " +
        "--url with --token-file"
      : token === null
      ? "it needs a token. Name a file with an administrator's token by --token-file"
      : `it does not accept the token${
        whyNot(text)
      }. Put a valid token of an administrator into the file of --token-file`;
    return new SluiceError("GATEWAY_UNREACHABLE", { url, reason });
  }
  if (status === 404) {
    const detail = detailOf(text);
    // Another program, and a gateway that has no such path, know nothing of the entry that was named.
    const isNamed = detail !== null && text.includes('"correlationId"') && detail !== "Path not found";
    const path = new URL(url).pathname;
    const reason = isNamed
      ? detail
      : path === "/"
      ? "it is no Sluice gateway, or an older one (HTTP 404)"
      : `it has no such path (HTTP 404). Leave ${path} out of --url, unless a proxy serves the gateway below it`;
    return new SluiceError("GATEWAY_UNREACHABLE", { url, reason });
  }
  return new SluiceError("GATEWAY_UNREACHABLE", { url, reason: detailOf(text) ?? `HTTP ${status}` });
}

/** The reason of a gateway's 401, in brackets; "" if the answer has none. */
function whyNot(text: string): string {
  const [, why] = /^Authentication required: (.+)$/s.exec(detailOf(text) ?? "") ?? [];
  return why === undefined ? "" : ` (${why})`;
}

/** The words of an error answer; null: it has none. */
function detailOf(text: string): string | null {
  try {
    const answer: unknown = JSON.parse(text);
    const detail = isObject(answer) ? answer.detail ?? answer.message : undefined;
    if (typeof detail === "string") return detail;
    if (!Array.isArray(detail)) return null;
    return detail.filter(isObject).map(({ loc, msg }) => `${Array.isArray(loc) ? loc.join(".") : ""}: ${msg}`)
      .join("; ");
  } catch {
    return null;
  }
}
