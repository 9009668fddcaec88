// The cursors of lists: where a page ended, sealed, so that any worker of the deployment can go on and nobody can make one up.
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { ListPosition } from "../catalog/list_order.ts";

/** Which list a cursor goes on in; one of another list is none of ours. */
export interface ListOf {
  /** e.g. tools/list */
  readonly method: string;
  /** null: everything. */
  readonly serverId: string | null;
}

const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** No cursor of ours is nearly as long. */
const MAX_CHARS = 1024;
const BASE64 = { alphabet: "base64url", omitPadding: true } as const;

export class ListCursors {
  readonly #key: Uint8Array;

  /** @param secret the deployment's; the key is derived from it once */
  constructor(secret: string) {
    this.#key = new Uint8Array(hkdfSync("sha256", secret, "sluice", "list cursor", 32));
  }

  seal(list: ListOf, { gatewayCreatedAt, gatewayId, position, id }: ListPosition): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(binding(list));
    const text = JSON.stringify([gatewayCreatedAt, gatewayId, position, id]);
    const sealed = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
    return new Uint8Array(Buffer.concat(sealed)).toBase64(BASE64);
  }

  /** Where the page ended, or null where the cursor is not ours or of another list. */
  open(list: ListOf, cursor: string): ListPosition | null {
    if (cursor.length > MAX_CHARS) return null;
    try {
      const bytes = Uint8Array.fromBase64(cursor, BASE64);
      const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(binding(list)).setAuthTag(bytes.subarray(-TAG_BYTES));
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, "utf8") +
        decipher.final("utf8");
      const [gatewayCreatedAt, gatewayId, position, id] = JSON.parse(text);
      return { gatewayCreatedAt, gatewayId, position, id };
    } catch {
      // Not base64, too short, or sealed with another key or for another list: the same answer to all.
      return null;
    }
  }
}

function binding({ method, serverId }: ListOf): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([method, serverId]));
}
