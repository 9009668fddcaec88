// A failure as a page, or as the part of a page that was asked for.
import { operatorText } from "../../base/seen_answer.ts";
import type { ReportedError } from "../../http/error_response.ts";
import type { View } from "../call/page_call.ts";
import { WaysOn } from "./frame.tsx";
import { CorrelationId } from "./page_parts.tsx";

const TITLES: Readonly<Partial<Record<string, string>>> = {
  NOT_FOUND: "There is no such page",
  FORBIDDEN: "You may not do this",
  RATE_LIMITED: "Too many requests",
};

export function failureView(
  { error, correlationId }: ReportedError,
  { path, isPart, hasLog }: {
    /** Of the page, relative to `/admin/`. */
    readonly path: string;
    readonly isPart: boolean;
    /** May the viewer read the log, with what an upstream answered? */
    readonly hasLog: boolean;
  },
): View {
  const words = hasLog ? operatorText(error) : error.message;
  const text = error.code === "INTERNAL" ? "The gateway has a fault. Its log has the cause." : words;
  const title = TITLES[error.code] ?? "That did not work";
  return {
    title,
    status: error.row.http,
    isPart,
    body: (
      <>
        {!isPart && <h1>{title}</h1>}
        <p>{text}</p>
        <p class="soft small">
          Correlation id: <CorrelationId id={correlationId} hasLog={hasLog} />
        </p>
        {!isPart && <WaysOn path={error.code === "NOT_FOUND" ? path : ""} />}
      </>
    ),
  };
}
