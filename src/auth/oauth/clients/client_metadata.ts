// The metadata of a client, as it registers itself (RFC 7591, section 2) or publishes them (OAuth Client ID Metadata Document).
import { isObject, type JsonObject } from "../../../mcp/json_rpc.ts";
import { CODE_GRANT, GRANT_TYPES, REFRESH_GRANT } from "./client.ts";
import { OAuthFault } from "../oauth_fault.ts";
import { MAX_REDIRECT_URIS, redirectFault } from "./redirect_uris.ts";

export interface ClientMetadata {
  readonly name: string;
  readonly uri: string | null;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  /** Of RFC 7591; undefined: the metadata do not say. */
  readonly authMethod: string | undefined;
}

const MAX_NAME_CHARS = 100;

/** @throws {OAuthFault} invalid_redirect_uri, invalid_client_metadata */
export function readMetadata(given: unknown): ClientMetadata {
  if (!isObject(given)) throw wrong("the metadata must be a JSON object");
  const { redirect_uris, grant_types = [CODE_GRANT, REFRESH_GRANT], response_types = ["code"] } = given;
  const grantTypes = textsOf(grant_types, "grant_types").filter((each) => GRANT_TYPES.includes(each));
  if (grantTypes.length === 0) throw wrong(`grant_types must have one of ${GRANT_TYPES.join(", ")}`);
  const usesCode = grantTypes.includes(CODE_GRANT);
  if (usesCode && !textsOf(response_types, "response_types").includes("code")) {
    throw wrong("response_types must have code");
  }
  const { token_endpoint_auth_method: authMethod } = given;
  if (authMethod !== undefined && typeof authMethod !== "string") {
    throw wrong("token_endpoint_auth_method must be a text");
  }
  return {
    name: nameIn(given),
    uri: uriIn(given),
    redirectUris: redirectUrisOf(redirect_uris, usesCode),
    grantTypes,
    authMethod,
  };
}

function redirectUrisOf(given: unknown, isNeeded: boolean): readonly string[] {
  if (given === undefined && !isNeeded) return [];
  const isList = Array.isArray(given) && given.every((each) => typeof each === "string");
  if (!isList || given.length > MAX_REDIRECT_URIS || isNeeded && given.length === 0) {
    throw new OAuthFault(
      "invalid_redirect_uri",
      `redirect_uris must be a list of 1 to ${MAX_REDIRECT_URIS} redirect URIs`,
    );
  }
  for (const uri of given) {
    const fault = redirectFault(uri);
    if (fault !== null) {
      throw new OAuthFault("invalid_redirect_uri", `the redirect URI ${uri.slice(0, 100)} ${fault}`);
    }
  }
  return given;
}

/** People read the name in the page of consent, so that it holds nothing that could stand for another line or direction. */
function nameIn({ client_name: given }: JsonObject): string {
  if (given === undefined || given === null) return "";
  if (typeof given !== "string") throw wrong("client_name must be a text");
  return [...given.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "").trim()].slice(0, MAX_NAME_CHARS).join("");
}

function uriIn({ client_uri: given }: JsonObject): string | null {
  const url = typeof given === "string" && given.length <= 500 ? URL.parse(given) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" ? url.href : null;
}

function textsOf(given: unknown, name: string): readonly string[] {
  if (Array.isArray(given) && given.length <= 20 && given.every((each) => typeof each === "string")) {
    return given;
  }
  throw wrong(`${name} must be a list of texts`);
}

function wrong(message: string): OAuthFault {
  return new OAuthFault("invalid_client_metadata", message);
}
