// Compresses the bodies of answers, beside the event loop. Loaded with the first compression.
//
// An answer that shows a new secret beside what its client has sent must not come here: its length would tell of the secret (BREACH).
// Such answers are those to writes.
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Coding } from "./accepted.ts";

/** A shorter answer fits into one packet as it is. */
const MIN_BYTES = 1_200;

/** Of an answer that is compressed once in a program's life, and of any other. */
const BROTLI_QUALITY = { lasting: 9, passing: 5 } as const;
const GZIP_LEVEL = { lasting: 9, passing: 6 } as const;

export interface Compressed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** null: as it was. */
  readonly coding: Coding | null;
}

const withBrotli = promisify(brotliCompress);
const withGzip = promisify(gzip);

/** @param coding null: the client takes none */
export async function compressed(
  bytes: Uint8Array<ArrayBuffer>,
  coding: Coding | null,
  lifetime: "lasting" | "passing" = "passing",
): Promise<Compressed> {
  if (coding === null || bytes.length < MIN_BYTES) return { bytes, coding: null };
  const options = {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY[lifetime],
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  };
  const result = coding === "br"
    ? await withBrotli(bytes, options)
    : await withGzip(bytes, { level: GZIP_LEVEL[lifetime] });
  return { bytes: new Uint8Array(result), coding };
}
