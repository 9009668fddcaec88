// The live part of the overview: rates, times, load against its limits, workers, and who and what is busiest.
import type { Child } from "hono/jsx";
import type { Figures, Interval } from "../call/live_figures.ts";
import { Bar, bytesOf, Card, rounded, Sparkline, timeOf } from "../parts/charts.tsx";
import type { ReplicaStatus } from "../../telemetry/checkup.ts";
import { Replicas } from "../system/replica_table.tsx";
import { Ago, Badge, logPath, type Mood } from "../parts/page_parts.tsx";

/** A caller of the last minute, as the log has them. */
export interface BusyCaller {
  readonly caller: string;
  readonly calls: number;
}

export interface LivePartProps {
  readonly figures: Figures;
  /** null: the viewer may not read the log. */
  readonly callers: readonly BusyCaller[] | null;
  /** Empty: none are known, or the viewer may not see them. */
  readonly replicas: readonly ReplicaStatus[];
}

/** The last bound of the buckets: a line goes no higher. */
const LONGEST_S = 300;
/** The top of a line of latencies is at least this. */
const SHORTEST_S = 0.001;

export function LivePart({ figures, callers, replicas }: LivePartProps) {
  const { perSecond, errorsPerSecond, history } = figures;
  const line = (of: (interval: Interval) => number | null, least?: number) => (
    <Sparkline values={history.map((interval) => Math.min(of(interval) ?? 0, LONGEST_S))} least={least} />
  );
  return (
    <>
      <div class="cards">
        <Card label="Requests/s" value={rounded(perSecond)}>
          {line((interval) => interval.perSecond)}
        </Card>
        <Card label="Errors/s" value={rounded(errorsPerSecond)} isBad={errorsPerSecond > 0}>
          {line((interval) => interval.errorsPerSecond)}
        </Card>
        {(["p50", "p95", "p99"] as const).map((name) => (
          <Card label={`Latency, ${name}`} value={timeOf(figures[name])}>
            {line((interval) =>
              interval[name], SHORTEST_S)}
          </Card>
        ))}
      </div>
      <div class="columns">
        <Busiest figures={figures} />
        {callers !== null && <BusiestCallers callers={callers} />}
      </div>
      <Load figures={figures} />
      <Workers figures={figures} />
      <Replicas replicas={replicas} />
    </>
  );
}

function Load({ figures: { gauges, labelled } }: { readonly figures: Figures }) {
  const gauge = (name: string) => gauges.get(name) ?? 0;
  const ofPool = new Map(labelled("sluice_pool_sessions").map(([[state], count]) => [state, count]));
  const pooled = [...ofPool.values()].reduce((sum, count) => sum + count, 0);
  const open = labelled("sluice_upstream_breaker_open").filter(([, count]) => count > 0);
  const leader = gauges.get("sluice_leader");
  return (
    <section aria-label="Load">
      <h2>Load</h2>
      <div class="bars">
        <Bar
          label="Requests in flight"
          value={gauge("sluice_requests_in_flight")}
          limit={gauge("sluice_requests_limit")}
        />
        <Bar label="Streams" value={gauge("sluice_streams_open")} limit={gauge("sluice_streams_limit")} />
        <Bar
          label="Client connections"
          value={gauge("sluice_connections_open")}
          limit={gauge("sluice_connections_limit")}
        />
        <Bar
          label="Upstream connections"
          value={gauge("sluice_outbound_connections_open")}
          limit={gauge("sluice_outbound_connections_limit")}
        />
        <Bar label="Pooled sessions" value={pooled} limit={gauge("sluice_pool_sessions_limit")} />
      </div>
      <dl class="facts">
        <dt>Waiting calls</dt>
        <dd>
          {`${gauge("sluice_pool_calls_waiting")} for a pooled session, ${
            gauge("sluice_outbound_calls_waiting")
          } for a connection, ${gauge("sluice_pending_calls")} for their client`}
        </dd>
        <dt>Client sessions</dt>
        <dd>{gauge("sluice_downstream_sessions") + gauge("sluice_downstream_channels")}</dd>
        <dt>Open breakers</dt>
        <dd>
          {open.length === 0 ? "none" : open.map(([[upstream = ""]], i) => (
            <>
              {i > 0 && ", "}
              <a href={`upstreams?q=${encodeURIComponent(upstream)}`}>{upstream}</a>
            </>
          ))}
        </dd>
        {leader !== undefined && (
          <>
            <dt>This replica</dt>
            <dd>
              {leader > 0 ? "does the jobs of the cluster" : "another one does the jobs of the cluster"}
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}

function Busiest({ figures: { busiest } }: { readonly figures: Figures }) {
  return (
    <BusyTable
      title="Busiest tools"
      noun="Tool"
      none="No tool was called in the last minute."
      rows={busiest.map(({ upstream, tool, calls }) => ({
        calls,
        title: `${tool} of ${upstream}`,
        name: (
          <>
            <a href={`tools?q=${encodeURIComponent(`${tool} ${upstream}`)}`}>{tool}</a>{" "}
            <span class="soft">of {upstream}</span>
          </>
        ),
      }))}
    />
  );
}

function BusiestCallers({ callers }: { readonly callers: readonly BusyCaller[] }) {
  return (
    <BusyTable
      title="Busiest callers"
      noun="Caller"
      none={
        <>
          The log has no call of the last minute. Calls are logged with <code>DISABLE_ACCESS_LOG=false</code>.
        </>
      }
      rows={callers.map(({ caller, calls }) => ({
        calls,
        title: caller,
        name: <a href={logPath({ caller })}>{caller}</a>,
      }))}
    />
  );
}

interface BusyTableProps {
  readonly title: string;
  /** What a row is. */
  readonly noun: string;
  /** Shown in the place of no rows. */
  readonly none: Child;
  readonly rows: readonly {
    /** The whole name, of which a narrow table cuts the end off. */
    readonly title: string;
    readonly name: Child;
    readonly calls: number;
  }[];
}

function BusyTable({ title, noun, none, rows }: BusyTableProps) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <div class="busiest">
        <table>
          <thead>
            <tr>
              <th>{noun}</th>
              <th class="number">Calls in a minute</th>
            </tr>
          </thead>
          <tbody>
            {rows.length === 0 && (
              <tr>
                <td colspan={2} class="none soft">{none}</td>
              </tr>
            )}
            {rows.map(({ title, name, calls }) => (
              <tr>
                <td title={title}>{name}</td>
                <td class="number">{calls.toLocaleString("en")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const STATES: Readonly<Record<string, { readonly mood: Mood; readonly label: string }>> = {
  starting: { mood: "warn", label: "starting" },
  prepared: { mood: "warn", label: "starting" },
  ready: { mood: "good", label: "ready" },
  draining: { mood: "warn", label: "draining" },
};

function Workers({ figures: { workers, gauges } }: { readonly figures: Figures }) {
  const now = Date.now();
  return (
    <section aria-label="Workers">
      <h2>Workers</h2>
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Worker</th>
            <th>State</th>
            <th>Since</th>
            <th class="number">Heap</th>
          </tr>
        </thead>
        <tbody>
          {workers.map(({ worker, state, startedAt, heapBytes, heapLimitBytes }) => (
            <tr>
              <td>
                <strong>{`Worker ${worker}`}</strong>
              </td>
              <td data-label="State">
                <Badge {...STATES[state] ?? { mood: "plain", label: state }} />
              </td>
              <td data-label="Since">
                <Ago at={new Date(startedAt).toISOString()} now={now} />
              </td>
              <td data-label="Heap" class="number">
                {heapBytes === null ? "–" : bytesOf(heapBytes)}
                {heapLimitBytes !== null && <span class="soft">{` of ${bytesOf(heapLimitBytes)}`}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft small">
        The process takes {bytesOf(gauges.get("process_resident_memory_bytes") ?? 0)}.
      </p>
    </section>
  );
}
