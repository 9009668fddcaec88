// Texts that callers and upstreams could choose to keep a reader busy: one piece, again and again, between a beginning and an end.

type Piece = string | ((index: number) => string);

/** `[before, piece, after]` */
export type Family = readonly [before: string, piece: Piece, after: string];

export interface Reader {
  /** Characters of the largest text that it gets. */
  readonly max: number;
  /** The beginning and the end that make a text valid, for families of any piece. */
  readonly frame?: readonly [before: string, after: string];
  /** The pieces of valid texts. Default: `PIECES`. */
  readonly pieces?: readonly Piece[];
  /** The slowest families found. */
  readonly slow: readonly Family[];
  readonly read: (text: string) => unknown;
}

/** The member of a family with about this number of characters. */
export function textOf([before, piece, after]: Family, size: number): string {
  if (typeof piece === "string") return before + piece.repeat(Math.ceil(size / piece.length)) + after;
  const pieces: string[] = [];
  for (let chars = 0; chars < size;) chars += pieces[pieces.push(piece(pieces.length)) - 1]!.length;
  return before + pieces.join("") + after;
}

/** Pieces of any text: what expressions and scanners look for. */
export const PIECES: readonly Piece[] = [
  ..." \t\n\r,.:;/\\\"'%&=?#*-_@<>(){}[]|~0aé\u0301\u00ad\u2028\ud800",
  ...[
    "\u0301\u0327\u0345",
    "\r\n",
    "://",
    "a://",
    "a://b@",
    "%25",
    "\\\\",
    '\\"',
    "\\u0061",
    "${",
    "{+a}",
    "{a}/",
  ],
  ...[
    "a, ",
    " ,",
    "a=b;",
    "keep-alive,",
    "Bearer ",
    "=?base64?",
    "?=",
    "\0",
    "ſ",
    "ﬀ",
    "😀",
    "xn--",
    "::",
    "0:",
  ],
  (i) => `k${i},`,
];

/** Pieces within an object of JSON, each a member. */
export const MEMBERS: readonly Piece[] = [
  '"a":1,',
  (i) => `"k${i}":{},`,
  (i) => `"${i}":"x",`,
  '"\\u0061":"\\\\",',
  ' "a" : [ [ ] ] , ',
  '"name":"x",',
  '"Name":"x",',
  '"_meta":{},',
  '"a":"[{",',
  '"":-1.5e9,',
];

/** Pieces within an array of JSON. */
export const ELEMENTS: readonly Piece[] = ["1,", "{},", "[],", '"x",', '{"a":[1]},', " null , ", '"\\"",'];

/** A piece within a string of JSON. */
export const CHARACTERS: readonly Piece[] = [
  "a",
  "\\\\",
  '\\"',
  "[",
  "{",
  " ",
  "\\u0061",
  "\\ud800",
  "/",
  "é",
  ":",
];
