// GET /settings: the settings that are in effect, without secrets.
import { validated } from "../rest/faults.ts";
import { adviceQuery } from "../rest/queries.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";

/** What the tuner would change of them. */
export async function adviseSettings({ deps, query }: Call): Promise<AdminResponse> {
  const { users } = validated(adviceQuery, Object.fromEntries(query), ["query"]);
  return ok(await deps.advise(users));
}

export async function listSettings({ deps }: Call): Promise<AdminResponse> {
  return ok(await deps.settings());
}
