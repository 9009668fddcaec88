// GET /doctor: what the doctor has found of this replica.
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";

export async function readCheckup({ deps }: Call): Promise<AdminResponse> {
  return ok(await deps.checkup());
}
