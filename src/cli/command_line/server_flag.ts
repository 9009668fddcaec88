// The flag --server: whether the gateway has such a virtual server, and would show it to the caller.

import type { Principal } from "../../auth/principal.ts";
import { canSee, type Visible } from "../../auth/rbac.ts";
import type { ServerRow } from "../../store/registry/rows.ts";
import { createRegistry } from "../../store/registry/registry.ts";
import type { Config } from "../../config/schema.ts";
import { isMissing, openGatewayDatabase } from "./gateway_state.ts";
import { didYouMean, usage } from "./usage.ts";

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

/**
 * Checks `--server ID` of a command against the database of the gateway of this folder.
 * @throws {SluiceError} USAGE_INVALID if the gateway has no such virtual server, or would not show it to the bearer
 */
export async function checkServer(
  id: string,
  principal: Principal,
  config: Config,
  command: string,
): Promise<void> {
  if (await isMissing(config.databaseUrl)) {
    console.error(`sluice: --server ${id} is not checked, because the database is not here`);
    return;
  }
  const database = await openGatewayDatabase(config);
  try {
    const mistakes = serverMistakes(id, principal, await createRegistry(database).servers.list());
    if (mistakes.length > 0) throw usage(mistakes, command);
  } finally {
    await database.close();
  }
}
