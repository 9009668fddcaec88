// Figures as people read them: cards with a line of the last minutes, numbers against their limits, times and sizes.
import type { Child } from "hono/jsx";

export function Card({ label, value, isBad = false, children }: {
  readonly label: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly children?: Child;
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

/** A time as a line. @param least the top of the scale is at least this, so that small numbers look small */
export function Sparkline({ values, least = 1, label = "The last minutes" }: {
  readonly values: readonly number[];
  readonly least?: number;
  readonly label?: string;
}) {
  // Its room is there before the line is, so that nothing below moves.
  if (values.length < 2) return <div class="spark" />;
  const most = Math.max(...values, least);
  const points = values.map((value, i) =>
    `${(i / (values.length - 1) * WIDTH).toFixed(1)},${(HEIGHT - 2 - value / most * (HEIGHT - 4)).toFixed(1)}`
  );
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={label}
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
export function Bar(
  { label, value, limit }: { readonly label: string; readonly value: number; readonly limit: number },
) {
  return (
    <div class="bar">
      <div>
        <span>{label}</span>{" "}
        <span class="soft">
          {value.toLocaleString("en")}
          {limit > 0 && ` of ${limit.toLocaleString("en")}`}
        </span>
      </div>
      {limit > 0 && <meter min={0} max={limit} high={limit * 0.8} value={value} aria-label={label} />}
    </div>
  );
}

/** A rate. One that is not zero is not shown as zero. */
export function rounded(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value === 0 ? "0" : atLeast(value, 0.1);
}

export function timeOf(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds === Infinity) return "> 300 s";
  if (seconds >= 1) return `${seconds.toFixed(seconds < 100 ? 1 : 0)} s`;
  return `${seconds < 0.01 ? atLeast(seconds * 1000, 0.1) : Math.round(seconds * 1000)} ms`;
}

function atLeast(value: number, least: number): string {
  return value > 0 && value < least / 2 ? `< ${least}` : value.toFixed(1);
}

export function bytesOf(bytes: number): string {
  const megabytes = bytes / 1024 ** 2;
  return megabytes < 1024 ? `${Math.round(megabytes)} MB` : `${(megabytes / 1024).toFixed(1)} GB`;
}
