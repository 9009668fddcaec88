// GET /gateways/{id}/history: what has happened to a gateway.
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { changeableGateway } from "../rest/lookup.ts";

export async function listGatewayHistory(call: Call): Promise<AdminResponse> {
  const { id } = await changeableGateway(call);
  return ok(await call.deps.store.gatewayEvents(id));
}
