// Line charts as SVG text. Colours come from the classes `s0`, `s1`, … of the page, so that they follow its theme.

export interface Series {
  readonly name: string;
  /** x and y; a null breaks the line. */
  readonly points: readonly (readonly [x: number, y: number | null])[];
  /** Drawn as dashes: a plan, or a base. */
  readonly isDashed?: boolean;
}

export interface Chart {
  readonly title: string;
  /** Of the y axis. */
  readonly unit: string;
  /** Of the x axis, which begins at 0. */
  readonly xTitle: string;
  readonly series: readonly Series[];
  /** Values from microseconds to minutes in one chart. */
  readonly isLogarithmic?: boolean;
  /** Default: round numbers. */
  readonly xTicks?: readonly (readonly [x: number, label: string])[];
}

const WIDTH = 440;
const HEIGHT = 270;
const LEFT = 58;
const RIGHT = 16;
const TOP = 14;
const BOTTOM = 44;
/** A chart with more points shows lines alone. */
const MAX_DOTS = 60;

/** A figure with a title and a legend. */
export function chartHtml(chart: Chart): string {
  const legend = chart.series.map(({ name, isDashed }, index) =>
    `<span class="s${index}${
      isDashed ? " dashed" : ""
    }"><svg viewBox="0 0 22 8" aria-hidden="true"><path d="M1 4H21"/></svg>${escaped(name)}</span>`
  );
  return `<figure><figcaption><h3>${escaped(chart.title)}</h3><div class="legend">${
    legend.join("")
  }</div></figcaption>${svg(chart)}</figure>`;
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}

function svg({ title, unit, xTitle, series, isLogarithmic = false, xTicks }: Chart): string {
  const points = series.flatMap((each) => each.points).filter(([, y]) => y !== null) as [number, number][];
  if (points.length === 0) return '<p class="empty">Nothing was measured.</p>';
  const xs = points.map(([x]) => x).concat(xTicks?.map(([x]) => x) ?? []);
  const [xMin, xMax] = [0, xs.reduce((a, b) => Math.max(a, b))];
  const ys = points.map(([, y]) => y);
  const yTicks = isLogarithmic ? logarithmicTicks(ys) : ticks(0, ys.reduce((a, b) => Math.max(a, b)), 5);
  const [yMin, yMax] = [yTicks[0]!, yTicks.at(-1)!];
  const scaleY = (y: number) => isLogarithmic ? Math.log10(Math.max(y, yMin)) : y;
  const px = (x: number) =>
    LEFT + (xMax === xMin ? 0.5 : (x - xMin) / (xMax - xMin)) * (WIDTH - LEFT - RIGHT);
  const py = (y: number) =>
    HEIGHT - BOTTOM - (scaleY(y) - scaleY(yMin)) / (scaleY(yMax) - scaleY(yMin)) * (HEIGHT - TOP - BOTTOM);
  const xLabels = xTicks ?? ticks(xMin, xMax, 6).filter((x) => x <= xMax).map((x) => [x, number(x)] as const);
  const grid = yTicks.map((y) =>
    `<path class="grid" d="M${LEFT} ${at(py(y))}H${WIDTH - RIGHT}"/><text class="y" x="${LEFT - 8}" y="${
      at(py(y) + 4)
    }">${number(y)}</text>`
  );
  const labels = xLabels.map(([x, label]) =>
    `<path class="grid" d="M${at(px(x))} ${HEIGHT - BOTTOM}v5"/><text class="x" x="${at(px(x))}" y="${
      HEIGHT - BOTTOM + 18
    }">${escaped(label)}</text>`
  );
  const lines = series.map(({ name, points: of, isDashed }, index) => {
    const dots = of.length > MAX_DOTS ? [] : of.flatMap(([x, y]) =>
      y === null ? [] : [
        `<circle cx="${at(px(x))}" cy="${at(py(y))}" r="2.5"><title>${
          escaped(`${name}: ${number(y)} ${unit}`)
        }</title></circle>`,
      ]
    );
    return `<g class="s${index}${isDashed ? " dashed" : ""}"><path d="${pathOf(of, px, py)}"/>${
      dots.join("")
    }</g>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(`${title}, ${unit}`)}">${
    grid.join("")
  }${labels.join("")}<text class="unit" x="${LEFT}" y="${HEIGHT - 6}">${
    escaped(unit)
  }</text><text class="x" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}">${escaped(xTitle)}</text>${
    lines.join("")
  }</svg>`;
}

function pathOf(points: Series["points"], px: (x: number) => number, py: (y: number) => number): string {
  let isDown = false;
  return points.map(([x, y]) => {
    if (y === null) {
      isDown = false;
      return "";
    }
    const command = isDown ? "L" : "M";
    isDown = true;
    return `${command}${at(px(x))} ${at(py(y))}`;
  }).join("");
}

/** Round numbers from at most `min` to at least `max`, about `count` steps. */
export function ticks(min: number, max: number, count: number): number[] {
  const range = max - min || Math.abs(max) || 1;
  const rough = range / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999)!;
  const first = Math.floor(min / step);
  const last = Math.max(first + 1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, index) => tidy((first + index) * step));
}

/** 1, 2 and 5 of each power of ten, around all values; the powers alone where there are many. */
export function logarithmicTicks(values: readonly number[]): number[] {
  const above = values.filter((value) => value > 0);
  if (above.length === 0) return [0.1, 1];
  const [min, max] = [above.reduce((a, b) => Math.min(a, b)), above.reduce((a, b) => Math.max(a, b))];
  const from = Math.floor(Math.log10(min));
  const to = Math.ceil(Math.log10(max));
  const steps = to - from > 3 ? [1] : [1, 2, 5];
  const all = Array.from(
    { length: to - from + 1 },
    (_, index) => steps.map((step) => tidy(step * 10 ** (from + index))),
  )
    .flat();
  const first = all.findLastIndex((tick) => tick <= min);
  const last = all.findIndex((tick) => tick >= max && tick > all[first]!);
  return all.slice(first, last + 1);
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** 1,500; 0.25; 12k. */
function number(value: number): string {
  if (Math.abs(value) >= 1_000_000) return `${trimmed(value / 1_000_000)}M`;
  if (Math.abs(value) >= 100_000) return `${trimmed(value / 1_000)}k`;
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 3 : 1 });
}

function trimmed(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 1 });
}

function at(pixels: number): string {
  return pixels.toFixed(1);
}
