// How a tool is used: calls, failures and times of the last minutes, of the last day and month, and who calls it.
import type { LoggedCaller } from "../call/logged_calls.ts";
import type { ToolFigures } from "../call/live_figures.ts";
import { Card, Sparkline, timeOf } from "../parts/charts.tsx";
import { logPath } from "../parts/page_parts.tsx";

export function ToolFiguresPart({ figures }: { readonly figures: ToolFigures | null }) {
  if (figures === null) return null;
  const { perSecond, failuresPerSecond, meanTimes, calls, failures, meanTime } = figures;
  return (
    <section aria-label="Use in the last minute">
      <h2>Last minute</h2>
      <div class="cards">
        <Card label="Calls" value={calls.toLocaleString("en")}>
          <Sparkline values={perSecond} />
        </Card>
        <Card label="Failures" value={failures.toLocaleString("en")} isBad={failures > 0}>
          <Sparkline values={failuresPerSecond} />
        </Card>
        <Card label="Mean time" value={timeOf(meanTime)}>
          <Sparkline values={meanTimes} least={0.001} />
        </Card>
      </div>
      {perSecond.length < 2 && (
        <p class="soft small">The lines grow while somebody looks at this page or the overview.</p>
      )}
    </section>
  );
}

/** What GET /metrics/history answers, as far as it is shown. */
export interface ExecutionHistory {
  readonly spans: readonly {
    readonly start: string;
    readonly totalExecutions: number;
    readonly failedExecutions: number;
  }[];
}

const HOUR_MS = 3_600_000;

/** How a page asks for them. */
export const HISTORIES = {
  day: { label: "Last 24 hours", each: "Calls by hour", by: "hour", last: 24, ms: HOUR_MS },
  month: { label: "Last 30 days", each: "Calls by day", by: "day", last: 30, ms: 24 * HOUR_MS },
} as const;

export interface HistoryProps {
  readonly day: ExecutionHistory;
  readonly month: ExecutionHistory;
  /** ms since the epoch */
  readonly now: number;
}

export function HistoryPart({ day, month, now }: HistoryProps) {
  return (
    <section aria-label="Calls over time">
      <h2>Calls over time</h2>
      <div class="cards">
        <HistoryCard {...{ ...HISTORIES.day, history: day, now }} />
        <HistoryCard {...{ ...HISTORIES.month, history: month, now }} />
      </div>
    </section>
  );
}

function HistoryCard({ label, each, last, ms, history: { spans }, now }: {
  readonly label: string;
  readonly each: string;
  readonly last: number;
  readonly ms: number;
  readonly history: ExecutionHistory;
  readonly now: number;
}) {
  const sum = (of: (span: ExecutionHistory["spans"][number]) => number) =>
    spans.reduce((total, span) => total + of(span), 0);
  const failed = sum(({ failedExecutions }) => failedExecutions);
  const calls = new Map(spans.map(({ start, totalExecutions }) => [Date.parse(start) / ms, totalExecutions]));
  const first = Math.floor(now / ms) - last + 1;
  return (
    <Card label={label} value={sum(({ totalExecutions }) => totalExecutions).toLocaleString("en")}>
      <Sparkline values={Array.from({ length: last }, (_, i) => calls.get(first + i) ?? 0)} label={each} />
      {failed > 0 && <div class="soft small">{`${failed.toLocaleString("en")} failed`}</div>}
    </Card>
  );
}

const MOST_CALLERS = 10;

export function Callers({ tool, callers }: {
  readonly tool: string;
  /** Sorted by calls, most first. */
  readonly callers: readonly LoggedCaller[];
}) {
  return (
    <section aria-label="Callers">
      <h2>Callers</h2>
      {callers.length === 0
        ? (
          <p class="soft">
            The kept log has no call of it. Calls are logged with <code>DISABLE_ACCESS_LOG=false</code>.
          </p>
        )
        : (
          <table class="cards-on-phone">
            <thead>
              <tr>
                <th>Caller</th>
                <th class="number">Calls in the kept log</th>
                <th class="number">With an error code</th>
              </tr>
            </thead>
            <tbody>
              {callers.slice(0, MOST_CALLERS).map(({ caller, calls, failures }) => (
                <tr>
                  <td>
                    <a href={logPath({ tool, caller })}>{caller}</a>
                  </td>
                  <td data-label="Calls in the kept log" class="number">{calls.toLocaleString("en")}</td>
                  <td data-label="With an error code" class="number">{failures.toLocaleString("en")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
    </section>
  );
}
