// The flag --server: whether the gateway has such a virtual server, and would show it to the caller.

import type { Principal } from "../../auth/principal.ts";
import { canSee, type Visible } from "../../auth/rbac.ts";
import type { ServerRow } from "../../store/registry/rows.ts";
import { didYouMean } from "./usage.ts";

/** Checks a `--server ID` against the virtual servers of the gateway. @returns at most one sentence */
export function serverMistakes(
  id: string,
  principal: Principal,
  servers: ReadonlyArray<Visible & Pick<ServerRow, "id" | "name">>,
): string[] {
  const server = servers.find((each) => each.id === id);
  if (server === undefined) {
    const named = servers.find(({ name }) => name.toLowerCase() === id.toLowerCase());
    const guess = named === undefined
      ? didYouMean(id, servers.map((each) => each.id))
      : `; the server of this name has the id ${named.id}`;
    return [`--server: there is no virtual server with the id "${id}"${guess}`];
  }
  if (canSee(principal, server)) return [];
  const advice = server.visibility === "team"
    ? `add --teams ${server.teamId}`
    : `its owner is ${server.ownerEmail}`;
  return [
    `--server: the visibility of ${id} is "${server.visibility}", so the token would not open it; ${advice}`,
  ];
}
