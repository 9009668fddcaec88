// Secrets that ContextForge's EncryptionService has sealed (mcpgateway/services/encryption_service.py): a Fernet token
// (https://github.com/fernet/spec) whose key is argon2id of AUTH_ENCRYPTION_SECRET, and the parameters of argon2id.
import { isObject } from "../../mcp/json_rpc.ts";

/** @returns null if it was sealed with another secret, or is damaged. Text that is not sealed is its own result */
export type OpenBundle = (text: string) => Promise<string | null>;

/** Newer versions write it in front. */
const MARKER = "v2:";

/** ContextForge's own parameters are 3, 65,536 and 1. A database could name more than the machine has. */
const LIMITS = { t: 20, m: 262_144, p: 16 } as const;

/** @param secret null: it is not known */
export function contextForgeBundles(secret: string | null): OpenBundle {
  return async (text) => {
    if (!text.startsWith(MARKER) && !text.startsWith("{")) return text;
    try {
      const bundle: unknown = JSON.parse(text.startsWith(MARKER) ? text.slice(MARKER.length) : text);
      return secret === null || !isObject(bundle) ? null : await opened(bundle, secret);
    } catch {
      return null;
    }
  };
}

async function opened(bundle: Readonly<Record<string, unknown>>, secret: string): Promise<string | null> {
  const cost = (name: keyof typeof LIMITS) => {
    const value = Number(bundle[name]);
    if (!(value >= 1 && value <= LIMITS[name])) throw new Error(`${name} is out of range`);
    return value;
  };
  const { argon2id } = await import("hash-wasm");
  const key = await argon2id({
    password: secret,
    salt: Uint8Array.fromBase64(String(bundle.salt)),
    iterations: cost("t"),
    memorySize: cost("m"),
    parallelism: cost("p"),
    hashLength: 32,
    outputType: "binary",
  });
  return await openFernet(new Uint8Array(key), String(bundle.token));
}

async function openFernet(key: Uint8Array<ArrayBuffer>, token: string): Promise<string | null> {
  const bytes = Uint8Array.fromBase64(token, { alphabet: "base64url" });
  const [signed, signature] = [bytes.slice(0, -32), bytes.slice(-32)];
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const signing = await crypto.subtle.importKey("raw", key.slice(0, 16), hmac, false, ["verify"]);
  if (bytes[0] !== 0x80 || !await crypto.subtle.verify("HMAC", signing, signature, signed)) return null;
  const encryption = await crypto.subtle.importKey("raw", key.slice(16), "AES-CBC", false, ["decrypt"]);
  const iv = signed.slice(9, 25);
  const plain = await crypto.subtle.decrypt({ name: "AES-CBC", iv }, encryption, signed.slice(25));
  return new TextDecoder("utf-8", { fatal: true }).decode(plain);
}
