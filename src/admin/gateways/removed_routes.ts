// Entries that an upstream no longer lists, and that come back as an operator left them.
import { SluiceError } from "../../base/errors.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { changeableGateway } from "../rest/lookup.ts";

export async function listRemoved(call: Call): Promise<AdminResponse> {
  const { id } = await changeableGateway(call);
  return ok(await call.deps.store.tombstones.list(id));
}

/** Forgets what was decided about an entry, and frees its name. If the upstream lists the entry again, it is a new one. */
export async function forgetRemoved(call: Call): Promise<AdminResponse> {
  const { store, catalogChanged } = call.deps;
  const { id } = await changeableGateway(call);
  const { entry } = call.params;
  if (!await store.tombstones.delete(id, entry)) {
    throw new SluiceError("NOT_FOUND", { what: `Removed entry ${entry}` });
  }
  await catalogChanged();
  return ok({ status: "success", message: `Removed entry ${entry} forgotten` });
}
