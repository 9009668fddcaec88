// Renders the reference of errors: a section for each code.

import type { ErrorRow, ErrorSource, RetryAdvice } from "../../src/base/error_row.ts";
import { REMEDIES } from "./remedies.ts";
import { type ErrorCode, ERRORS } from "../../src/base/errors.ts";

const GROUPS: ReadonlyArray<readonly [source: ErrorSource, title: string]> = [
  ["downstream", "Errors of requests"],
  ["upstream", "Errors of upstreams"],
  ["internal", "Errors of the gateway"],
];

const RETRY: Readonly<Record<RetryAdvice, string>> = {
  never: "A retry does not help.",
  later: "Retry later.",
  if_unsent: "Retry if the request had not reached the upstream.",
};

export function errorsPart(): string {
  return GROUPS.map(([source, title]) => {
    const rows = (Object.entries(ERRORS) as [ErrorCode, ErrorRow][]).filter(([, row]) =>
      row.source === source
    );
    return [`## ${title}`, ...rows.map(([code, row]) => section(code, row))].join("\n\n");
  }).join("\n\n");
}

/** The placeholders of a text are values of the single failure. */
function section(code: ErrorCode, { http, rpc, retry, text }: ErrorRow): string {
  return [
    `### ${code}`,
    `HTTP ${http}, JSON-RPC ${rpc}. ${RETRY[retry]}`,
    `> ${text.replaceAll("<", "\\<")}`,
    REMEDIES[code],
  ].join("\n\n");
}
