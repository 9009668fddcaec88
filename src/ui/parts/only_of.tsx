// Lists that may be limited to one upstream: which one is asked for, and the words above the list.
import type { Rest } from "../call/rest.ts";

interface Named {
  readonly id: string;
  readonly name: string;
}

/** @param id of the query; empty or null: the list has all. @returns null also if the viewer does not see the upstream */
export async function findUpstream(rest: Rest, id: string | null): Promise<Named | null> {
  return id === null || id === "" ? null : await rest.find<Named>(`/gateways/${encodeURIComponent(id)}`);
}

/** Says that a list is limited to an upstream, and leads to the whole list. */
export function OnlyOf({ upstream, all, noun }: {
  /** null: the list is not limited, or the viewer does not see the upstream. */
  readonly upstream: Named | null;
  /** The path of the whole list. */
  readonly all: string;
  readonly noun: string;
}) {
  if (upstream === null) return null;
  return (
    <p class="lead">
      Only those of the upstream <a href={`upstreams/${upstream.id}`}>{upstream.name}</a>.{" "}
      <a href={all}>{`Show all ${noun}`}</a>
    </p>
  );
}
