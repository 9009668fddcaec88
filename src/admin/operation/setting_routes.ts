// GET /settings: the settings that are in effect, without secrets.
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";

export async function listSettings({ deps }: Call): Promise<AdminResponse> {
  return ok(await deps.settings());
}
