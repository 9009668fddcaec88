// What has happened to an upstream: when it could not be reached and why, what its lists gained and lost, who switched it.
import type {
  ChangedKeys,
  GatewayEventRow,
  ListChanges,
} from "../../store/registry/history/gateway_history.ts";
import { Ago, Badge, type Mood } from "../parts/page_parts.tsx";
import { countOf } from "./upstream_shapes.ts";

const EVENTS: Readonly<Record<GatewayEventRow["kind"], { readonly mood: Mood; readonly label: string }>> = {
  unreachable: { mood: "bad", label: "not reachable" },
  failed: { mood: "bad", label: "could not be listed" },
  reachable: { mood: "good", label: "reachable" },
  listed: { mood: "good", label: "listed" },
  changed: { mood: "plain", label: "lists changed" },
  on: { mood: "plain", label: "switched on" },
  off: { mood: "plain", label: "switched off" },
  draining: { mood: "plain", label: "drained" },
};

/** A page shows so many; the REST API has all that are kept. */
const MOST_SHOWN = 20;

export function UpstreamHistory({ events, now }: {
  /** The newest first. */
  readonly events: readonly GatewayEventRow[];
  readonly now: number;
}) {
  if (events.length === 0) return null;
  const latestChange = events.find(({ kind }) => kind === "changed");
  return (
    <>
      <h2>History</h2>
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Event</th>
            <th>When</th>
          </tr>
        </thead>
        <tbody>
          {events.slice(0, MOST_SHOWN).map((event) => (
            <tr>
              <td>
                <Badge {...EVENTS[event.kind]} />{" "}
                <EventDetails event={event} isOpen={event === latestChange} />
              </td>
              <td data-label="When" class="nowrap">
                <Ago at={event.at} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function EventDetails({ event, isOpen }: { readonly event: GatewayEventRow; readonly isOpen: boolean }) {
  if ("reason" in event) return <span class="note">{event.reason}</span>;
  if ("by" in event) return event.by === null ? null : <span class="soft">{`by ${event.by}`}</span>;
  if ("changes" in event) return <Changes changes={event.changes} isOpen={isOpen} />;
  return null;
}

const SIGNS = [["added", "+", "new"], ["updated", "~", "changed"], ["removed", "−", "gone"]] as const;

function Changes({ changes, isOpen }: { readonly changes: ListChanges; readonly isOpen: boolean }) {
  const kinds = Object.entries(changes);
  const sum = (of: (typeof SIGNS)[number][0]) => kinds.reduce((total, [, kind]) => total + kind[of].count, 0);
  return (
    <details open={isOpen}>
      <summary>{SIGNS.map(([of, , word]) => `${sum(of)} ${word}`).join(", ")}</summary>
      {kinds.map(([noun, kind]) =>
        SIGNS.map(([of, sign]) =>
          kind[of].count === 0 ? null : <Keys {...{ noun, sign }} changed={kind[of]} />
        )
      )}
    </details>
  );
}

function Keys({ noun, sign, changed: { keys, count } }: {
  readonly noun: string;
  readonly sign: string;
  readonly changed: ChangedKeys;
}) {
  return (
    <p class="small">
      {sign} {noun}: {keys.map((key, i) => (
        <>
          {i > 0 && ", "}
          <code>{key}</code>
        </>
      ))}
      {count > keys.length && ` and ${countOf(count - keys.length, "other")}`}
    </p>
  );
}
