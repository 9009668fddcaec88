// The values that fields of several requests have: names, texts, secrets, tags, addresses.
import * as z from "zod";
import { transportOf } from "../../client_config/server_entries.ts";
import { tagId } from "../../store/registry/tag_id.ts";
import { field, writtenAs } from "./described.ts";

// deno-lint-ignore no-control-regex -- control characters are what it refuses
export const CONTROL = /[\x00-\x1f\x7f]/;

export const name = z.string().trim().min(1).max(255).refine(
  (text) => !CONTROL.test(text),
  "must not contain control characters",
);
export const text = z.string().max(8192).nullable().optional();
export const shortText = z.string().max(255).nullable().optional();
export const secret = z.string().max(8192).refine(
  (value) => !CONTROL.test(value),
  "must not contain control characters",
)
  .nullable()
  .optional();
export const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be an HTTP header name");

/** Texts separated by commas, as an alternative to a list. */
export const commaSeparated = writtenAs(
  z.string().transform((joined) =>
    joined.split(",").map((each) => each.trim()).filter((each) => each !== "")
  ),
  { type: "string" },
);

function firstOfEachTag(labels: readonly string[]): string[] {
  const seen = new Set<string>();
  return labels.filter((label) => {
    const id = tagId(label);
    return !seen.has(id) && seen.add(id);
  });
}

/** Tags of one entity. */
const MAX_TAGS = 1_000;

/** Requests write tags as texts or, like answers, as objects with an id and a label. The labels are stored, one for each id. */
export const tags = writtenAs(
  z.preprocess(
    (given, context) => {
      const value = typeof given === "string" ? commaSeparated.parse(given) : given;
      if (!Array.isArray(value) || value.length <= MAX_TAGS) return value;
      // The library examines every element, and takes its time for each fault.
      context.addIssue({ code: "custom", message: `must have at most ${MAX_TAGS} entries` });
      return z.NEVER;
    },
    z.array(
      z.union([
        z.string(),
        z.object({ label: z.string() }).transform(({ label }) => label),
        z.object({ id: z.string() }).transform(({ id }) => id),
      ]).pipe(z.string().trim().min(1).max(100)),
    ),
  ).transform(firstOfEachTag),
  {
    anyOf: [
      {
        type: "array",
        maxItems: MAX_TAGS,
        items: { anyOf: [{ type: "string", minLength: 1, maxLength: 100 }, { type: "object" }] },
      },
      { type: "string" },
    ],
  },
).optional();

export const url = z.string().trim().max(2048).superRefine((value, context) => {
  const parsed = URL.canParse(value) ? new URL(value) : null;
  // The scheme is checked later, with the transport. Answers show a command as a stdio: URL, which clients send back.
  if (parsed === null || !/^(https?|wss?|stdio):$/.test(parsed.protocol)) {
    context.addIssue({ code: "custom", message: "must be an http or https URL" });
  } else if (parsed.username !== "" || parsed.password !== "") {
    context.addIssue({ code: "custom", message: "must not contain credentials; use auth_type" });
  }
});

const TRANSPORTS = ["STREAMABLEHTTP", "SSE", "WEBSOCKET", "STDIO"] as const;

/** Also the words of clients' configuration files: http, streamable-http, ws. */
export const transport = writtenAs(
  z.string()
    .transform((value) => transportOf(value) ?? value.toUpperCase().replace(/[-_ ]/g, ""))
    .pipe(z.enum(TRANSPORTS)),
  { type: "string" },
);

export const argument = z.string().max(8192).refine(
  (value) => !value.includes("\0"),
  "must not contain a NUL character",
);

export const SHARING = {
  tags: field(
    tags,
    "Tags: texts, objects with a `label` or `id` as answers have them, or one text with commas.",
    ["Time zones"],
  ),
  visibility: field(
    z.enum(["public", "team", "private"]).optional(),
    "Who sees the entity: every caller, the members of its team, or its owner. The default is `public`.",
    "public",
  ),
  team_id: field(shortText, "The team that sees the entity. Required with visibility `team`."),
  owner_email: field(shortText, "The owner. The default is the caller."),
};
