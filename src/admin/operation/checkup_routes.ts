// /doctor: what the doctor has found of this replica, and an examination at once.
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";

export async function readCheckup({ deps }: Call): Promise<AdminResponse> {
  return ok(await deps.checkup());
}

export async function examine({ deps }: Call): Promise<AdminResponse> {
  return ok(await deps.examine(), 202);
}
