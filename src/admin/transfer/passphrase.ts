// Seals the secrets in an exported file with a passphrase: PBKDF2 makes a key of it, and AES-256-GCM seals.

/** OWASP Password Storage Cheat Sheet, "PBKDF2": with HMAC-SHA-256. */
const ITERATIONS = 600_000;
const SALT_BYTES = 16;
const IV_BYTES = 12;

const PREFIX = "sluice.v1.";

/** The kind of a sealed text. A text of one kind does not open in the place of the other. */
export type SealedKind = "credentials" | "url";

export interface Sealing {
  /** Stored in the file, to open its texts. */
  readonly salt: string;
  seal(kind: SealedKind, text: string): Promise<string>;
}

/** null: a wrong passphrase, or a damaged text. */
export type OpenText = (kind: SealedKind, sealed: string) => Promise<string | null>;

export async function sealWith(passphrase: string): Promise<Sealing> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const key = await keyOf(passphrase, salt);
  return {
    salt: salt.toBase64(),
    async seal(kind, text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const sealed = await crypto.subtle.encrypt(cipher(kind, iv), key, new TextEncoder().encode(text));
      return `${PREFIX}${iv.toBase64()}.${new Uint8Array(sealed).toBase64()}`;
    },
  };
}

/** Is the text sealed by an export of this gateway, and not by ContextForge? */
export function isSealedHere(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** @returns a function that opens sealed texts; with a damaged salt it opens none */
export async function openWith(passphrase: string, salt: string): Promise<OpenText> {
  const bytes = bytesOf(salt);
  if (bytes === null) return () => Promise.resolve(null);
  const key = await keyOf(passphrase, bytes);
  return async (kind, sealed) => {
    try {
      const [iv, text] = sealed.slice(PREFIX.length).split(".") as [string, string];
      const plain = await crypto.subtle.decrypt(
        cipher(kind, Uint8Array.fromBase64(iv)),
        key,
        Uint8Array.fromBase64(text),
      );
      return new TextDecoder().decode(plain);
    } catch {
      return null;
    }
  };
}

/** Credentials have no additional data: files of earlier versions have nothing else. */
function cipher(kind: SealedKind, iv: Uint8Array<ArrayBuffer>): AesGcmParams {
  const additionalData = new TextEncoder().encode(kind === "credentials" ? "" : kind);
  return { name: "AES-GCM", iv, additionalData };
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
