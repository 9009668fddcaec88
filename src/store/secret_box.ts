// Encrypts upstream credentials for the database: AES-256-GCM with a key that is derived from AUTH_ENCRYPTION_SECRET.
import { SluiceError } from "../base/errors.ts";

export interface SecretBox {
  /** @param owner the owner of the secret, e.g. `gateway:<id>`; the secret can be opened for the same owner only
   *  @returns `v1.<iv>.<ciphertext>`, base64url */
  seal(plainText: string, owner: string): Promise<string>;
  /** @throws {SluiceError} SECRET_UNREADABLE if the text was sealed with another key or for another owner, or is damaged */
  open(sealed: string, owner: string): Promise<string>;
}

const IV_BYTES = 12;

/** Derives the key once. */
export async function createSecretBox(authEncryptionSecret: string): Promise<SecretBox> {
  const key = await deriveKey(authEncryptionSecret);
  return {
    async seal(plainText, owner) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const sealed = await crypto.subtle.encrypt(parameters(iv, owner), key, encode(plainText));
      return `v1.${iv.toBase64(BASE64URL)}.${new Uint8Array(sealed).toBase64(BASE64URL)}`;
    },
    async open(sealed, owner) {
      try {
        const [version, iv, ciphertext, ...rest] = sealed.split(".");
        if (version !== "v1" || rest.length > 0) throw new Error("not a sealed secret of version 1");
        const plain = await crypto.subtle.decrypt(
          parameters(Uint8Array.fromBase64(iv, BASE64URL_IN), owner),
          key,
          Uint8Array.fromBase64(ciphertext, BASE64URL_IN),
        );
        return new TextDecoder().decode(plain);
      } catch (cause) {
        throw new SluiceError("SECRET_UNREADABLE", { owner }, { cause });
      }
    },
  };
}

const BASE64URL = { alphabet: "base64url", omitPadding: true } as const;
const BASE64URL_IN = { alphabet: "base64url" } as const;

async function deriveKey(secret: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encode(secret), "HKDF", false, ["deriveKey"]);
  return await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encode("sluice secret box v1") },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

function parameters(iv: Uint8Array<ArrayBuffer>, owner: string): AesGcmParams {
  return { name: "AES-GCM", iv, additionalData: encode(owner) };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
