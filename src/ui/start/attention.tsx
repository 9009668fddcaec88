// What needs somebody's attention, each with the page where it is mended.
import type { RunningSettings } from "../../config/settings_report.ts";
import type { Figures } from "../call/live_figures.ts";
import { logPath } from "../parts/page_parts.tsx";
import { countOf, stateOf, type Upstream, whatIsWrong } from "../upstreams/upstream_shapes.ts";

export interface AttentionProps {
  readonly upstreams: readonly Upstream[];
  /** Changes of upstreams that wait for an approval. */
  readonly held: number;
  /** null: the viewer may not read metrics. */
  readonly figures: Figures | null;
  /** null: the viewer may not read settings. */
  readonly settings: RunningSettings | null;
}

interface Item {
  readonly path: string;
  readonly link: string;
  readonly text: string;
}

export function Attention(props: AttentionProps) {
  const items = itemsOf(props);
  if (items.length === 0) return <p class="soft">Nothing: all upstreams that are on can be reached.</p>;
  return (
    <ul>
      {items.map(({ path, link, text }) => (
        <li>
          <a href={path}>{link}</a>
          {text}
        </li>
      ))}
    </ul>
  );
}

/** A page shows so many upstreams; the list of upstreams has all. */
const MOST_UPSTREAMS = 10;

function itemsOf({ upstreams, held, figures, settings }: AttentionProps): Item[] {
  const wrong = upstreams.filter((upstream) => stateOf(upstream).mood === "bad");
  const more = wrong.length - MOST_UPSTREAMS;
  const conflicts = (figures?.gauges.get("sluice_name_conflicts") ?? 0) +
    (figures?.gauges.get("sluice_uri_conflicts") ?? 0);
  const breakers = figures?.labelled("sluice_upstream_breaker_open").filter(([, count]) => count > 0) ?? [];
  const reachable = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  const lacking = settings?.ignored.filter(({ kind }) => kind === "protection") ?? [];
  return [
    ...(held === 0 ? [] : [{
      path: "held",
      link: held === 1 ? "1 change of an upstream waits" : `${held} changes of upstreams wait`,
      text: " for an approval.",
    }]),
    ...wrong.slice(0, MOST_UPSTREAMS).map((upstream) => ({
      path: `upstreams/${upstream.id}`,
      link: upstream.name,
      text: `: ${whatIsWrong(upstream)}`,
    })),
    ...(more <= 0
      ? []
      : [{ path: "upstreams?state=unreachable", link: `${more} more upstreams`, text: " fail." }]),
    ...breakers.flatMap(([[name = ""]]) => {
      const upstream = reachable.get(name);
      return upstream === undefined || stateOf(upstream).mood === "bad" ? [] : [{
        path: logPath({ upstream: name, failed: "true" }),
        link: name,
        text: ": its calls fail, and are refused at once.",
      }];
    }),
    ...(conflicts === 0 ? [] : [{
      path: "virtual-servers",
      link: countOf(conflicts, "conflict"),
      text: " of names or addresses: an entry is hidden by another one.",
    }]),
    ...(settings === null || settings.needs_restart.length === 0 ? [] : [{
      path: "settings",
      link: countOf(settings.needs_restart.length, "setting"),
      text: " given anew: a restart takes them.",
    }]),
    ...(lacking.length === 0 ? [] : [{
      path: "settings",
      link: countOf(lacking.length, "protection"),
      text: ` of ContextForge that this gateway does not have: ${
        lacking.map(({ name }) => name).join(", ")
      }.`,
    }]),
  ];
}
