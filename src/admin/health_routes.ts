// /health: the process is alive. /ready: the gateway can serve requests. /version: diagnostics.
import { type AdminResponse, type Call, ok } from "./rest/deps.ts";

export async function health(): Promise<AdminResponse> {
  return ok({ status: "healthy" });
}

export async function ready({ deps }: Call): Promise<AdminResponse> {
  const { ready, reasons } = await deps.ready();
  return ready ? ok({ status: "ready" }) : ok({ status: "not ready", reasons }, 503);
}

export async function version({ deps }: Call): Promise<AdminResponse> {
  return ok(deps.version());
}
