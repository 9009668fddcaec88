// Judges the secrets that an operator sets. An attacker who guesses a secret signs tokens of administrators, or decrypts stored
// credentials.
import { createHash } from "node:crypto";
import * as z from "zod";
import type { Kind } from "./setting.ts";

export const MAKE_SECRET = "make one by: openssl rand -base64 48";

const MIN_CHARACTERS = 32;

/** What a secret must be, wherever the gateway runs. */
export const SECRET_RULE = `at least ${MIN_CHARACTERS} characters, and not a placeholder; ${MAKE_SECRET}`;

/** Random text of the least length has more: 32 hexadecimal digits have 128. */
const MIN_BITS = 72;

/** Longer secrets are judged by their beginning, since the time grows with the square of the length. */
const MAX_JUDGED = 256;

/** SHA-256 of samples in lower case, so that nobody copies one from here. Shorter samples are refused for their length. */
const PUBLISHED: ReadonlySet<string> = new Set([
  // ContextForge: quick start, container and Helm samples, load tests.
  "755b479e412b4fac73da472ecb136322d89452222077bf3f68c7d70a7fe71a3e",
  // ContextForge: deployment guides.
  "9b3c5e6f408905599b2721e9502936bba0dc74df1f50fed0eece4ec3f2a4e9dc",
  "e992838552093b2376f3c2a3b4a25a0ae983fc04003d521f52bb607e76c26ec3",
  "e94af46227bf2d9a991443170959f5839ba5211239888e6e2ecc88347361dcac",
  "90436bf1d5ec9f9aec8b4189b69513825ce686726b28079a219f96548ea389fb",
  // ContextForge: tests and CI.
  "03628dd576d681008f698829967205d3cf9902976ad00797a5f5193de3c441d9",
  "0da8a3b0de83528c81206c09e0b25d5a48039f5e8bd5840e43adee5300aec741",
  "0e3dc19114c4081e5eebb1798b7d311422c63ea88cae251e3fc995315519883a",
  "11349e5d7e5ff95f4e804c21e1f123d942a372c5565f7f28356135d299a26f44",
  "1e5e0d0be9fd46cbc2dc2d48b0836fec9667b2d158aa2e778ca919835cca2eba",
  "28ab321f9cf6e46badbeadbed968bde60516f36ddb4a203dd12161b8499ac7ab",
  "28e7c606994c05f413ca00595153a18e9a3ebd5eb1d20d06c73adca938681ad2",
  "2de843e2b3819064f416b0687757331e8a727e047d0bef7c728a811fa605a351",
  "39efaf2ad1b32bbda06f3341ad9db825d6e07ec533ee4d08b19279f88439d581",
  "3c785da973f14bd3b6186b9f8921d6d5b5c8b108cc0239d20a1142242b7b0d0b",
  "3fa97c9d59fefccd31e7361896b028219e86bd50672ed4be05ca60e0b430d69e",
  "4337e11c0b3c0fa3ccdc7ed1bb4f9cd408d1b82f359c6ccc603b4c309e230dd5",
  "5f292ea89b2c35887f0204e9b2b1a0e1418473d67742ea7ad74c42b1ba15317b",
  "662d67fe2a6202d59b90bcbc2a284fd9e0e348ccd87104e6d28dc8ba6433c42d",
  "735d2989efe73ef1142aedf63fca5c4cd34b21561ca2fb1d7f743944ebabcceb",
  "76ec55bdd22abbd81bb9faa90c5b2a34cabc3e1b9210ee6d5d903049ffbc4095",
  "7bfff858fd5adfa600a7efe2e9f06eac468e93bbacb44234306b888501b05219",
  "82421eeca7a679e1bd1678efe166a5d350d1812e015725142c36df4906016f93",
  "ace7def17126de1624b8e5251b8352d73c339a82d3f0e69112d81df4f8791414",
  "b32d88fe5f048c7f2a0d8d509dccd390fa49a1ea133022c08528d0dc6f1b2d99",
  "b65f55d205fb0879241d4a96791c6991b52fe9438f6be072b615d17818d3a676",
  "b70007334334d2ae448873151a788e87788200306d43cb38faf576aa231cd913",
  "b7ec4a7806ebee76fa37d58870367945cb305a9fe891e02c501c90c6007af40f",
  "baffbf448da819710dc2abfb4f67835e9288055e5c025ee92f665bc3fbcff790",
  "bfed743d00c7e096c4d35ea704851f1aff27c7087696d2e33b5f457785c750d2",
  "caaf15f5bf02b5a4c32676108cbba1494ddbdd9c5b1e53a522b315dcd62ff223",
  "cf284396688861a1bce9254a39ec9474cbf270e2b45f0bbb0edf71c63f45b45e",
  "cfe65175eb8c7e5fbd11096c6b7ba2d78a29e07272ce1da76d67d7e34c9900ab",
  "d1e0e673b135e15f8d2e53f07e0e44c25e4aa726e845bdb6b8dc5195618f13d8",
  "d58079ae058dd764e894fd8b346ad7e800d470d64a1448c2aca27e9fd72803e2",
  "dd8cc3c4ca47c108503f160eb9ca84d4b850a3f1b868575f98325c3d064a9fa6",
  "df598e413e7cd14da46e40a9501b2c100ff5b6f89ee1c5ef55d8253ab8463b06",
  "f10cd0e72d91d8451263436480e584172cb0073bb831e418f1c4492249ff7fc6",
  // jwt.io.
  "465d9ad5d5528ebe287b5dce4fb51620833d09b290e49ddcc70ca6c4a0aea01b",
  "730d21a80e61a8de82d12cb4c0b8057cff5a30e2dec50ce7a773513374f9164a",
  "db6833593279d7373592ef70e51f3daf048c04475739f8ed024b0821fd9e7fde",
]);

/** What is wrong with `secret`, to follow the name of its setting; null: nothing. */
export function secretFault(secret: string): string | null {
  if (secret.length < MIN_CHARACTERS || secret.includes("__REPLACE_ME__")) return `must be ${SECRET_RULE}`;
  return isPublished(secret) ? `is a published sample, which everybody knows; ${MAKE_SECRET}` : null;
}

/** Short and published secrets are refused: with those, anybody could forge tokens. */
export const SECRET: Kind<string, null> = {
  unit: null,
  accepts: SECRET_RULE,
  schema: z.string().transform((given, context) => {
    const secret = given.trim();
    const fault = secretFault(secret);
    if (fault === null) return secret;
    context.addIssue({ code: "custom", message: fault });
    return z.NEVER;
  }),
};

function isPublished(secret: string): boolean {
  return PUBLISHED.has(createHash("sha256").update(secret.toLowerCase()).digest("hex"));
}

/** Can `secret` be guessed, because it repeats itself or consists of words and sequences? */
export function isGuessable(secret: string): boolean {
  return estimatedBits(secret.slice(0, MAX_JUDGED)) < MIN_BITS;
}

const ROWS = ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];

/** Sequences in both directions, and words that secrets are made of. */
const KNOWN = [
  ...ROWS.flatMap((row) => [row, [...row].reverse().join("")]),
  ..."changeme character company contextforge default encryption example gateway password passw0rd".split(
    " ",
  ),
  ..."please private production replace secret signing sluice super test token".split(" "),
].join(" ");

const MIN_CHUNK = 4;
/** One of some thirty words, or one of the earlier parts of the secret. */
const BITS_OF_WORD = 5;
/** A longer word is perhaps none. */
const WORD_LENGTH = 8;
const BITS_OF_LETTER_BEYOND = 3.5;

/** A cautious estimate of the choices behind a secret. Random secrets are next to never below MIN_BITS. */
function estimatedBits(secret: string): number {
  const { rest, chunks } = withoutKnownChunks(secret);
  const parts = Array.from(rest.matchAll(/[A-Z]?[a-z]+|[A-Z]+|[^ ]/g), ({ 0: part, index }) => ({
    part,
    isWord: isWord(part, isBoundary(rest[index - 1]) && isBoundary(rest[index + part.length])),
  }));
  const lettersInWords = parts.reduce((sum, { part, isWord }) => sum + (isWord ? part.length : 0), 0);
  // Words come up in random text by chance. Only in a text of words they count for less than their letters.
  const isText = secret.length - rest.length + chunks + lettersInWords >= 0.6 * secret.length;
  const bitsPerCharacter = Math.log2(new Set(secret).size);
  const separators = new Set<string>();
  let bits = chunks * BITS_OF_WORD;
  for (const { part, isWord } of parts) {
    if (isText && isWord) {
      bits += BITS_OF_WORD + BITS_OF_LETTER_BEYOND * Math.max(0, part.length - WORD_LENGTH);
    } else if (isText && separators.has(part)) {
      bits += 1;
    } else {
      bits += part.length * bitsPerCharacter;
      if (isBoundary(part)) separators.add(part);
    }
  }
  return bits;
}

/** The secret with a blank for each part that occurs earlier in it, or that is known anyway. */
function withoutKnownChunks(secret: string): { rest: string; chunks: number } {
  const lower = secret.toLowerCase();
  let rest = "";
  let chunks = 0;
  for (let at = 0; at < secret.length;) {
    let length = MIN_CHUNK - 1;
    while (at + length < lower.length && isKnown(lower, at, length + 1)) length++;
    if (length < MIN_CHUNK) {
      rest += secret[at++];
    } else {
      rest += " ";
      chunks++;
      at += length;
    }
  }
  return { rest, chunks };
}

function isKnown(lower: string, at: number, length: number): boolean {
  const chunk = lower.slice(at, at + length);
  // Overlaps count: "aaaaa" repeats its "a".
  return KNOWN.includes(chunk) || lower.slice(0, at + length - 1).includes(chunk);
}

/** @param isBounded does no letter or digit stand before or after it? */
function isWord(part: string, isBounded: boolean): boolean {
  if (!/^[a-z]+$/i.test(part)) return false;
  if (isBounded && part.length <= 3) return true;
  return part.length >= 4 && /[aeiouy]/i.test(part) && !/[^aeiouy]{4}|[aeiouy]{4}/i.test(part);
}

function isBoundary(character: string | undefined): boolean {
  return character === undefined || !/^[a-z0-9]$/i.test(character);
}
