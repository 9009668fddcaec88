// The variables of an upstream that is started as a process: secrets, kept and shown as credentials are.
import type { Credentials } from "../../upstream/credentials.ts";
import { isLoaderVariable } from "../../upstream/stdio/policy.ts";
import { type Fault, fault } from "../rest/faults.ts";
import { type GatewayInput, MASK } from "../rest/schemas.ts";

/** @param kept what the gateway has: what the mask stands for, and what stays where the request names none */
export function requestedEnvironment(
  { env }: GatewayInput,
  kept: Credentials | null,
): { credentials: Credentials | null; faults: Fault[] } {
  const old = kept?.type === "env" ? kept.variables : {};
  if (env === undefined) return { credentials: kept, faults: [] };
  const faults: Fault[] = [];
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(env ?? {})) {
    const loc = ["body", "env", name];
    if (isLoaderVariable(name)) {
      faults.push(fault(loc, `${name} decides which program really runs: it stays the gateway's own`));
    }
    if (value === MASK && old[name] === undefined) {
      faults.push(fault(loc, "the mask stands for a stored secret, and there is none"));
    }
    variables[name] = value === MASK ? old[name] ?? "" : value;
  }
  const isEmpty = Object.keys(variables).length === 0;
  return { credentials: isEmpty || faults.length > 0 ? null : { type: "env", variables }, faults };
}
