// Seals the credentials in an exported file with a passphrase: PBKDF2 makes a key of it, and AES-256-GCM seals.
import { type Credentials, readCredentials, writeCredentials } from "../../upstream/credentials.ts";

/** OWASP Password Storage Cheat Sheet, "PBKDF2": with HMAC-SHA-256. */
const ITERATIONS = 600_000;
const SALT_BYTES = 16;
const IV_BYTES = 12;

const PREFIX = "sluice.v1.";

export interface Sealing {
  /** In the file, for whoever opens it. */
  readonly salt: string;
  seal(credentials: Credentials): Promise<string>;
}

export async function sealWith(passphrase: string): Promise<Sealing> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const key = await keyOf(passphrase, salt);
  return {
    salt: salt.toBase64(),
    async seal(credentials) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const plain = new TextEncoder().encode(writeCredentials(credentials));
      const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain);
      return `${PREFIX}${iv.toBase64()}.${new Uint8Array(sealed).toBase64()}`;
    },
  };
}

/** Is the text sealed by an export of this gateway, and not by ContextForge? */
export function isSealedHere(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** @returns a function that opens sealed texts, with null for a wrong passphrase, a damaged text or a damaged salt */
export async function openWith(
  passphrase: string,
  salt: string,
): Promise<(sealed: string) => Promise<Credentials | null>> {
  const bytes = bytesOf(salt);
  if (bytes === null) return () => Promise.resolve(null);
  const key = await keyOf(passphrase, bytes);
  return async (sealed) => {
    try {
      const [iv, text] = sealed.slice(PREFIX.length).split(".") as [string, string];
      const plain = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: Uint8Array.fromBase64(iv) },
        key,
        Uint8Array.fromBase64(text),
      );
      return readCredentials(new TextDecoder().decode(plain));
    } catch {
      return null;
    }
  };
}

/** null: the text is not base64. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return null;
  }
}

async function keyOf(passphrase: string, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(passphrase),
    "PBKDF2",
    false,
    [
      "deriveKey",
    ],
  );
  return await crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}
