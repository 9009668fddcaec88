// The live part of the overview: rates, times, load against its limits, what is busiest.
import type { Figures } from "../call/live_figures.ts";

export function LivePart({ figures }: { readonly figures: Figures }) {
  const { perSecond, errorsPerSecond, p50, p95, p99, history, busiest, gauges, heaps } = figures;
  const gauge = (name: string) => gauges.get(name) ?? 0;
  const memory = gauge("process_resident_memory_bytes");
  return (
    <>
      <div class="cards">
        <Card label="Requests per second" value={rounded(perSecond)}>
          <Sparkline values={history} />
        </Card>
        <Card label="Errors per second" value={rounded(errorsPerSecond)} isBad={errorsPerSecond > 0} />
        <Card label="Time, median" value={timeOf(p50)} />
        <Card label="Time, 95 of 100" value={timeOf(p95)} />
        <Card label="Time, 99 of 100" value={timeOf(p99)} />
      </div>
      <div class="columns">
        <section aria-label="Load">
          <h2>Load</h2>
          <Bar
            label="Requests under way"
            value={gauge("sluice_requests_in_flight")}
            limit={gauge("sluice_requests_limit")}
          />
          <Bar label="Streams" value={gauge("sluice_streams_open")} limit={gauge("sluice_streams_limit")} />
          <Bar
            label="Connections"
            value={gauge("sluice_connections_open")}
            limit={gauge("sluice_connections_limit")}
          />
          <dl class="facts">
            <dt>Workers</dt>
            <dd>{gauge("sluice_workers_ready")}</dd>
            <dt>Sessions of clients</dt>
            <dd>{gauge("sluice_downstream_sessions") + gauge("sluice_downstream_channels")}</dd>
            <dt>Memory</dt>
            <dd>
              {`${megabytes(memory)}, heaps of the workers ${
                heaps.map(({ bytes }) => megabytes(bytes)).join(" and ")
              }`}
            </dd>
          </dl>
        </section>
        <section aria-label="Busiest tools">
          <h2>Busiest tools</h2>
          {busiest.length === 0 ? <p class="soft">No tool was called in the last minute.</p> : (
            <table>
              <thead>
                <tr>
                  <th>Tool</th>
                  <th class="number">Calls in a minute</th>
                </tr>
              </thead>
              <tbody>
                {busiest.map(({ upstream, tool, calls }) => (
                  <tr>
                    <td>
                      {tool} <span class="soft">of {upstream}</span>
                    </td>
                    <td class="number">{calls.toLocaleString("en")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </section>
      </div>
    </>
  );
}

function Card({ label, value, isBad = false, children }: {
  readonly label: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly children?: unknown;
}) {
  return (
    <div class="card">
      <div class="label">{label}</div>
      <div class={isBad ? "value bad" : "value"}>{value}</div>
      {children}
    </div>
  );
}

const [WIDTH, HEIGHT] = [160, 32];

function Sparkline({ values }: { readonly values: readonly number[] }) {
  if (values.length < 2) return null;
  const most = Math.max(...values, 1);
  const points = values.map((value, i) =>
    `${(i / (values.length - 1) * WIDTH).toFixed(1)},${(HEIGHT - 2 - value / most * (HEIGHT - 4)).toFixed(1)}`
  );
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label="The last minutes"
      preserveAspectRatio="none"
    >
      <polyline
        points={points.join(" ")}
        fill="none"
        stroke="currentColor"
        stroke-width="1.5"
        vector-effect="non-scaling-stroke"
      />
    </svg>
  );
}

/** A number against its limit; without a limit the number alone. */
function Bar(
  { label, value, limit }: { readonly label: string; readonly value: number; readonly limit: number },
) {
  return (
    <div class="bar">
      <div>
        <span>{label}</span>{" "}
        <span class="soft">{limit > 0 ? `${value} of ${limit.toLocaleString("en")}` : value}</span>
      </div>
      {limit > 0 && <meter min={0} max={limit} high={limit * 0.8} value={value} aria-label={label} />}
    </div>
  );
}

function rounded(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value === 0 ? "0" : value.toFixed(1);
}

function timeOf(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds === Infinity) return "> 300 s";
  return seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(1)} s`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}
