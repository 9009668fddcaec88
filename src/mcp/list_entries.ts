// Which entries may stand in a list: those that the parsers of the official SDKs accept. One entry that a parser rejects would
// take the whole list from its client. The table holds the strictest rule of all SDKs: TypeScript v1 (1.32), TypeScript v2
// (2.4, both wire formats) and Python (2.3).
import { BOOLEAN, listOf, type Member, OBJECT, objectOf, oneOf, STRING } from "./entry_shape.ts";
import {
  exceedsDepth,
  hasLongNumber,
  isObject,
  type JsonObject,
  mapMembers,
  memberText,
  removeMember,
  replaceMember,
} from "./json_rpc.ts";
import { annotationFault } from "./param_annotations.ts";
import { STATELESS_REVISION } from "./revisions.ts";
import { sessionTool } from "./session_tool.ts";

export type ListKind = "tool" | "resource" | "template" | "prompt";

/** An entry that may stand in a list. */
export interface ListEntry {
  /** A tool's or prompt's name, a resource's URI or URI template. */
  readonly key: string;
  /** As the upstream wrote it, except for repairs. */
  readonly text: string;
  /** For clients of the revisions with sessions; null: the same. */
  readonly sessionText: string | null;
  /** What a repair has taken away, in words. */
  readonly losses: readonly string[];
}

/** An entry that may not stand in a list. */
export interface RefusedEntry {
  /** "": the entry has no name. */
  readonly name: string;
  readonly reason: string;
}

const ICON = objectOf({
  required: { src: STRING },
  optional: { mimeType: STRING, sizes: listOf(STRING), theme: oneOf("light", "dark") },
});

const HINTS: Readonly<Record<string, Member>> = {
  title: STRING,
  description: STRING,
  icons: listOf(ICON),
  _meta: OBJECT,
};

/** `z.iso.datetime({ offset: true })` of the TypeScript SDKs. */
const DATE_TIME: Member = {
  fits: (value) => {
    const parts = typeof value === "string" ? TIME.exec(value) : null;
    return parts !== null && isDay(Number(parts[1]), Number(parts[2]), Number(parts[3]));
  },
  words: "an ISO 8601 time with seconds and offset",
};

const TIME = /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(2000 + year % 400, month - 1, day)); // leap years repeat after 400 years
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

const ANNOTATIONS = objectOf({
  optional: {
    audience: listOf(oneOf("user", "assistant")),
    priority: {
      fits: (value) => typeof value === "number" && value >= 0 && value <= 1,
      words: "a number from 0 to 1",
    },
    lastModified: DATE_TIME,
  },
});

/** Of a resource. Python reads it as int. */
const SIZE: Member = { fits: Number.isSafeInteger, words: "a whole number" };

const PROMPT_ARGUMENT = objectOf({
  required: { name: STRING },
  optional: { title: STRING, description: STRING, required: BOOLEAN },
}, "an object with a name");

const PROMPT_ARGUMENTS: Member = {
  ...listOf(PROMPT_ARGUMENT),
  mend: (value, text, note) => {
    const isUsable = Array.isArray(value) && value.every((each) => isObject(each) && STRING.fits(each.name));
    return isUsable ? listOf(PROMPT_ARGUMENT).mend!(value, text, note) : null;
  },
  isEssential: true,
};

const TOOL_HINTS: Readonly<Record<string, Member>> = {
  ...HINTS,
  annotations: objectOf({
    optional: {
      title: STRING,
      readOnlyHint: BOOLEAN,
      destructiveHint: BOOLEAN,
      idempotentHint: BOOLEAN,
      openWorldHint: BOOLEAN,
    },
  }),
  execution: objectOf({ optional: { taskSupport: oneOf("forbidden", "optional", "required") } }),
};

const INPUT_SCHEMA: Member = {
  fits: (value) => isObject(value) && value.type === "object" && hasSoundMembers(value),
  mend: (value, text) => value === true ? ANY_OBJECT : isObject(value) ? mendedSchema(value, text) : null,
  fallback: () => ANY_OBJECT,
  words: 'a JSON Schema of type "object"',
};

/** In 2026-07-28 the value may be anything. Before, it is an object, so a schema without type describes one. */
function outputSchema(isStateless: boolean): Member {
  const isSound = (value: unknown) =>
    isObject(value) && (value.$schema === undefined || typeof value.$schema === "string");
  return {
    fits: (value) => isSound(value) && (isStateless || !isTypedObject((value as JsonObject).type)),
    mend: (value, text) => {
      if (!isObject(value)) return null;
      const dialect = isSound(value) ? text : removeMember(text, "$schema");
      return isStateless || !isTypedObject(value.type)
        ? dialect
        : replaceMember(dialect, "type", OBJECT_TYPE);
    },
    words: "a JSON Schema",
  };
}

/** The schema means objects, but does not say `"type": "object"`. */
function isTypedObject(type: unknown): boolean {
  return type === undefined || (Array.isArray(type) && type.includes("object"));
}

const OBJECT_TYPE = '"object"';
const ANY_OBJECT = '{"type":"object"}';

/** Of a schema whose type is right. */
function hasSoundMembers({ $schema, properties, required }: JsonObject): boolean {
  return ($schema === undefined || typeof $schema === "string") &&
    (properties === undefined ||
      (isObject(properties) &&
        Object.values(properties).every((each) => isObject(each) || typeof each === "boolean"))) &&
    (required === undefined || (Array.isArray(required) && required.every(STRING.fits)));
}

/** Arguments are always objects, so a schema that allows objects may say so; null: the schema allows none, or is none. */
function mendedSchema(value: JsonObject, text: string): string | null {
  let mended = text;
  if (value.type !== "object") {
    if (!isTypedObject(value.type)) return null;
    mended = replaceMember(mended, "type", OBJECT_TYPE);
  }
  if (value.$schema !== undefined && typeof value.$schema !== "string") {
    mended = removeMember(mended, "$schema");
  }
  if (value.required === null) mended = removeMember(mended, "required");
  const { properties } = value;
  if (properties === null) mended = removeMember(mended, "properties");
  // PHP writes an empty map as an empty list.
  else if (Array.isArray(properties) && properties.length === 0) {
    mended = replaceMember(mended, "properties", "{}");
  } else if (isObject(properties)) {
    const members = memberText(text, "properties")!;
    mended = replaceMember(
      mended,
      "properties",
      mapMembers(members, (_, schema) => schema === "null" ? "{}" : schema),
    );
  }
  const now: JsonObject = JSON.parse(mended);
  return now.type === "object" && hasSoundMembers(now) ? mended : null;
}

interface KindRules {
  readonly keyMember: string;
  readonly shape: Member;
}

function rulesOf(isStateless: boolean): Readonly<Record<ListKind, KindRules>> {
  /** A resource without a name is called by its URI. */
  const named = (key: string): Member => ({
    ...STRING,
    fallback: (entry) => typeof entry[key] === "string" ? JSON.stringify(entry[key]) : undefined,
  });
  const resourceHints = { ...HINTS, mimeType: STRING, annotations: ANNOTATIONS };
  return {
    tool: {
      keyMember: "name",
      shape: objectOf({
        required: { name: STRING, inputSchema: INPUT_SCHEMA },
        optional: { ...TOOL_HINTS, outputSchema: outputSchema(isStateless) },
      }),
    },
    resource: {
      keyMember: "uri",
      shape: objectOf({
        required: { uri: STRING, name: named("uri") },
        optional: { ...resourceHints, size: SIZE },
      }),
    },
    template: {
      keyMember: "uriTemplate",
      shape: objectOf({
        required: { uriTemplate: STRING, name: named("uriTemplate") },
        optional: resourceHints,
      }),
    },
    prompt: {
      keyMember: "name",
      shape: objectOf({
        required: { name: STRING },
        optional: { ...HINTS, arguments: PROMPT_ARGUMENTS },
      }),
    },
  };
}

const RULES = { stateless: rulesOf(true), session: rulesOf(false) };

/** The parser of the Python SDK accepts 200 levels in a message. */
const MAX_DEPTH = 190;

/** Python's limit for a whole number. */
const MAX_DIGITS = 4_300;

/** Names and URIs are keys of database indexes, which have a limit in PostgreSQL. */
const MAX_KEY_BYTES = 2_048;

/** Losses of one entry that are told one by one. */
const MAX_LOSSES = 20;

/** Judges an element of an upstream's list. @param revision of the upstream */
export function judgeEntry(kind: ListKind, text: string, revision: string): ListEntry | RefusedEntry {
  const refused = (name: string, reason: string): RefusedEntry => ({ name, reason });
  const isStateless = revision === STATELESS_REVISION;
  const { keyMember, shape } = RULES[isStateless ? "stateless" : "session"][kind];
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) return refused("", "it is not an object");
  const key = Object.hasOwn(value, keyMember) ? value[keyMember] : undefined;
  if (typeof key !== "string" || key === "") return refused("", `it has no "${keyMember}"`);
  const fault = keyFault(key) ?? textFault(text);
  if (fault !== null) return refused(key, fault);
  const losses: string[] = [];
  let untold = 0;
  let lastPath = () => "";
  let lastWords = "";
  const told = (path: () => string, words: string) => `"${path().slice(1)}" must be ${words}`;
  let sound = wellFormed(text);
  if (!shape.fits(value)) {
    const mended = shape.mend!(
      value,
      sound,
      (path, words) => {
        if (losses.length < MAX_LOSSES) losses.push(told(path, words));
        else untold++;
        lastPath = path;
        lastWords = words;
      },
    );
    if (mended === null) {
      return refused(key, lastWords === "" ? "it cannot be read" : told(lastPath, lastWords));
    }
    if (untold > 0) losses.push(`${untold} further parts were left out`);
    sound = mended;
  }
  if (kind !== "tool") return { key, text: sound, sessionText: null, losses };
  const tool: JsonObject = sound === text ? value : JSON.parse(sound);
  // Older revisions have no annotations for headers.
  const headerFault = isStateless ? annotationFault(tool.inputSchema) : null;
  if (headerFault !== null) return refused(key, headerFault);
  return { key, text: sound, sessionText: sessionTool(tool, sound), losses };
}

export function isRefused(judged: ListEntry | RefusedEntry): judged is RefusedEntry {
  return "reason" in judged;
}

function keyFault(key: string): string | null {
  if (key.includes("\0")) return "its name or URI contains a NUL character, which PostgreSQL cannot store";
  if (!key.isWellFormed()) return "its name or URI contains half a character";
  if (key.length > MAX_KEY_BYTES || new TextEncoder().encode(key).length > MAX_KEY_BYTES) {
    return `its name or URI is longer than ${MAX_KEY_BYTES} bytes`;
  }
  return null;
}

/** What the JSON parser of a client refuses, wherever it stands. */
function textFault(text: string): string | null {
  if (exceedsDepth(text, MAX_DEPTH)) return `it is nested deeper than ${MAX_DEPTH} levels`;
  if (hasLongNumber(text, MAX_DIGITS)) return `it contains a number with more than ${MAX_DIGITS} digits`;
  return null;
}

/** Replaces halves of surrogate pairs, which Python's parser refuses. Only escapes can contain them. */
function wellFormed(text: string): string {
  if (!/\\u[dD][89a-fA-F]/.test(text)) return text;
  return text.replace(
    /(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\[^]/g,
    (escape, _pair, half) => half === undefined ? escape : "\\ufffd",
  );
}
