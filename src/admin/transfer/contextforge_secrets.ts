// ContextForge's form of stored credentials (mcpgateway/utils/services_auth.py): a nonce of 12 bytes and AES-GCM, in base64url. The key is
// SHA-256 of AUTH_ENCRYPTION_SECRET. The content is JSON: the headers or the parameters of a request.
import type { Credentials } from "../../upstream/credentials.ts";
import { isObject } from "../../mcp/json_rpc.ts";

const NONCE_BYTES = 12;

/** Opens a sealed value. @returns null if it was sealed with another secret, or is damaged */
export type OpenSealed = (sealed: string) => Promise<Readonly<Record<string, string>> | null>;

export async function contextForgeSecrets(authEncryptionSecret: string): Promise<OpenSealed> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(authEncryptionSecret));
  const key = await crypto.subtle.importKey("raw", digest, "AES-GCM", false, ["decrypt"]);
  return async (sealed) => {
    try {
      const bytes = Uint8Array.fromBase64(sealed, { alphabet: "base64url" });
      const iv = bytes.slice(0, NONCE_BYTES);
      const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, bytes.slice(NONCE_BYTES));
      return textsOf(JSON.parse(new TextDecoder().decode(plain)));
    } catch {
      return null;
    }
  };
}

/** The members that are texts; null: it is no object. */
export function textsOf(value: unknown): Record<string, string> | null {
  if (!isObject(value)) return null;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/** The credentials that these headers are; null: none. */
export function credentialsOfHeaders(headers: Readonly<Record<string, string>>): Credentials | null {
  const entries = Object.entries(headers);
  if (entries.length === 0) return null;
  if (entries.length === 1 && entries[0]![0].toLowerCase() === "authorization") {
    const value = entries[0]![1];
    const bearer = /^Bearer (.+)$/.exec(value)?.[1];
    if (bearer !== undefined) return { type: "bearer", token: bearer };
    const basic = basicOf(value);
    if (basic !== null) return basic;
  }
  return { type: "authheaders", headers: entries.map(([key, value]) => ({ key, value })) };
}

function basicOf(value: string): Credentials | null {
  const encoded = /^Basic (.+)$/.exec(value)?.[1];
  if (encoded === undefined) return null;
  try {
    const pair = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.fromBase64(encoded));
    const colon = pair.indexOf(":");
    return colon === -1 ? null : {
      type: "basic",
      username: pair.slice(0, colon),
      password: pair.slice(colon + 1),
    };
  } catch {
    return null;
  }
}
