// Seals text that clients return later. Any worker of the deployment can open it; clients can neither read nor forge it.
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from "node:crypto";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BASE64 = { alphabet: "base64url", omitPadding: true } as const;

export class Seal {
  readonly #key: Uint8Array;
  readonly #nonceKey: Uint8Array;

  /**
   * @param secret of the deployment; the keys are derived once
   * @param purpose text sealed for another purpose cannot be opened
   */
  constructor(secret: string, purpose: string) {
    const keys = new Uint8Array(hkdfSync("sha256", secret, "sluice", purpose, 2 * KEY_BYTES));
    this.#key = keys.subarray(0, KEY_BYTES);
    this.#nonceKey = keys.subarray(KEY_BYTES);
  }

  /**
   * Seals a text as [A-Za-z0-9_-]. Equal text and context give equal results, because the nonce is a keyed hash of both.
   * @param context must be the same for opening
   */
  seal(context: string, text: string): string {
    const hash = createHmac("sha256", this.#nonceKey).update(JSON.stringify([context, text])).digest();
    const nonce = hash.subarray(0, NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(bytesOf(context));
    const sealed = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
    return new Uint8Array(Buffer.concat(sealed)).toBase64(BASE64);
  }

  /** Returns the text; null: it was not sealed by this deployment in this context. */
  open(context: string, sealed: string): string | null {
    try {
      const bytes = Uint8Array.fromBase64(sealed, BASE64);
      const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(bytesOf(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, "utf8") +
        decipher.final("utf8");
    } catch {
      // All faults have the same result: invalid base64, too short, another key, or another context.
      return null;
    }
  }
}

function bytesOf(context: string): Uint8Array {
  return new TextEncoder().encode(context);
}
