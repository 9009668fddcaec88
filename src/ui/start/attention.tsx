// What needs somebody's attention, each with the page where it is mended.
import type { RunningSettings } from "../../config/settings_report.ts";
import type { Figures } from "../call/live_figures.ts";
import type { Checkup } from "../../telemetry/checkup.ts";
import { Ago, Badge, logPath, type Mood } from "../parts/page_parts.tsx";
import { anchorsOf, MOODS } from "../system/doctor_page.tsx";
import { countOf, FAILING, stateOf, type Upstream, whatIsWrong } from "../upstreams/upstream_shapes.ts";

export interface AttentionProps {
  readonly upstreams: readonly Upstream[];
  /** Changes of upstreams that wait for an approval. */
  readonly held: number;
  /** null: the viewer may not read metrics. */
  readonly figures: Figures | null;
  /** null: the viewer may not read settings. */
  readonly settings: RunningSettings | null;
  /** null: the viewer may not read what the doctor has found. */
  readonly checkup: Checkup | null;
}

interface Item {
  readonly mood: Mood;
  readonly label: string;
  readonly path: string;
  readonly link: string;
  readonly text: string;
}

export function Attention(props: AttentionProps) {
  const items = itemsOf(props);
  const { upstreams, checkup } = props;
  if (items.length === 0 && upstreams.length === 0) return null;
  return (
    <>
      <h2>Needs attention</h2>
      {items.length === 0
        ? <p class="soft">Nothing: all upstreams that are on can be reached.</p>
        : (
          <ul class="attention">
            {items.map(({ mood, label, path, link, text }) => (
              <li>
                <Badge mood={mood} label={label} />
                <span>
                  <a href={path}>{link}</a>
                  {text}
                </span>
              </li>
            ))}
          </ul>
        )}
      {checkup !== null && (
        <p class="soft small">
          {checkup.examined_at === null ? "The doctor examines this gateway …" : (
            <>
              The doctor has examined this gateway <Ago at={checkup.examined_at} now={Date.now()} />:{" "}
              <a href="doctor">{countOf(checkup.findings.length, "finding")}</a>.
            </>
          )}
        </p>
      )}
    </>
  );
}

/** A page shows so many upstreams; the list of upstreams has all. */
const MOST_UPSTREAMS = 10;

/** A page shows so many findings; the doctor's page has all. */
const MOST_FINDINGS = 10;

/** Findings that stand here in other words: as upstreams and as breakers. */
const SAID_ALREADY: ReadonlySet<string> = new Set([
  "upstream.unreachable",
  "upstream.never_listed",
  "running.breaker",
]);

/** Errors and warnings of the doctor. */
function findingsOf({ findings }: Checkup): Item[] {
  const anchors = anchorsOf(findings);
  const items = findings.flatMap(({ id, severity, found }, i): Item[] =>
    severity === "note" || SAID_ALREADY.has(id) ? [] : [{
      mood: MOODS[severity],
      label: severity,
      path: `doctor#${anchors[i]}`,
      link: found,
      text: "",
    }]
  );
  const more = items.length - MOST_FINDINGS;
  if (more <= 0) return items;
  return [
    ...items.slice(0, MOST_FINDINGS),
    { mood: "warn", label: "more", path: "doctor", link: countOf(more, "more finding"), text: "." },
  ];
}

function itemsOf({ upstreams, held, figures, settings, checkup }: AttentionProps): Item[] {
  const states = upstreams.map((upstream) => ({ upstream, state: stateOf(upstream) }));
  const wrong = [
    ...states.filter(({ state }) => state.mood === "bad"),
    ...states.filter(({ state }) => state === FAILING),
  ];
  const more = wrong.length - MOST_UPSTREAMS;
  const conflicts = (figures?.gauges.get("sluice_name_conflicts") ?? 0) +
    (figures?.gauges.get("sluice_uri_conflicts") ?? 0);
  const breakers = figures?.labelled("sluice_upstream_breaker_open").filter(([, count]) => count > 0) ?? [];
  const reachable = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  const lacking = settings?.ignored.filter(({ kind }) => kind === "protection") ?? [];
  return [
    ...(held === 0 ? [] : [{
      mood: "warn" as const,
      label: "waits",
      path: "held",
      link: held === 1
        ? "1 change of an upstream waits"
        : `${held.toLocaleString("en")} changes of upstreams wait`,
      text: " for an approval.",
    }]),
    ...wrong.slice(0, MOST_UPSTREAMS).map(({ upstream, state: { mood } }) => ({
      mood,
      label: "fails",
      path: `upstreams/${upstream.id}`,
      link: upstream.name,
      text: `: ${whatIsWrong(upstream)}`,
    })),
    ...(more <= 0 ? [] : [{
      mood: "bad" as const,
      label: "fail",
      path: "upstreams",
      link: countOf(more, "more upstream"),
      text: ".",
    }]),
    ...breakers.flatMap(([[name = ""]]) => {
      const upstream = reachable.get(name);
      return upstream === undefined || stateOf(upstream).mood === "bad" ? [] : [{
        mood: "bad" as const,
        label: "breaker",
        path: logPath({ upstream: name, failed: "true" }),
        link: name,
        text: ": its calls fail, and are refused at once.",
      }];
    }),
    ...(conflicts === 0 ? [] : [{
      mood: "warn" as const,
      label: "conflict",
      path: "virtual-servers",
      link: countOf(conflicts, "conflict"),
      text: " of names or URIs: an entry is hidden by another one.",
    }]),
    ...(settings === null || settings.needs_restart.length === 0 ? [] : [{
      mood: "warn" as const,
      label: "restart",
      path: "settings",
      link: countOf(settings.needs_restart.length, "setting"),
      text: " given anew: a restart takes them.",
    }]),
    ...(lacking.length === 0 ? [] : [{
      mood: "warn" as const,
      label: "missing",
      path: "settings",
      link: countOf(lacking.length, "protection"),
      text: ` of ContextForge that this gateway does not have: ${
        lacking.map(({ name }) => name).join(", ")
      }.`,
    }]),
    ...(checkup === null ? [] : findingsOf(checkup)),
  ];
}
