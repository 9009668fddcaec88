// What of an upstream was left out, and what was taken otherwise than it was said.
import type { SkippedEntry, Warning } from "./upstream_shapes.ts";

export function WarningList({ skipped, warnings }: {
  readonly skipped: readonly SkippedEntry[];
  readonly warnings: readonly Warning[];
}) {
  return (
    <>
      {warnings.length > 0 && (
        <>
          <h2>Warnings</h2>
          <ul>
            {warnings.slice(0, MOST_SHOWN).map(({ loc, msg }) => (
              <li>
                <code>{loc.join(" ")}</code>: {msg}
              </li>
            ))}
          </ul>
          <More of={warnings.length} />
        </>
      )}
      {skipped.length > 0 && (
        <>
          <h2>Left out</h2>
          <p class="soft">Clients could not read these entries, so the gateway does not list them.</p>
          <ul>
            {skipped.slice(0, MOST_SHOWN).map(({ kind, name, reason }) => (
              <li>
                {kind} <code>{name === "" ? "without a name" : name}</code>: {reason}
              </li>
            ))}
          </ul>
          <More of={skipped.length} />
        </>
      )}
    </>
  );
}

/** A page shows so many of each; the REST API has all. */
const MOST_SHOWN = 50;

function More({ of }: { readonly of: number }) {
  return of > MOST_SHOWN ? <p class="soft small">{`${of - MOST_SHOWN} more.`}</p> : null;
}
