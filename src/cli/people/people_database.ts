// Room `people`: `sluice user …` and `sluice role …`, which change users and roles in the database, whether or not a gateway runs on
// this machine. This file opens the database, records each change in the audit trail, and tells the gateways.
import { SluiceError } from "../../base/errors.ts";
import { loadProcessConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { type AuditEntity, changesBetween, operatorRecord } from "../../store/audit/audit_record.ts";
import { AuditRecords } from "../../store/audit/audit_records.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import { createRegistry, type Registry } from "../../store/registry/registry.ts";
import { openGatewayDatabase, tellReplicas } from "../command_line/gateway_state.ts";

export interface People {
  readonly registry: Registry;
  readonly config: Config;
}

/** What a command has done, as the audit trail says it. Before and after have the format of the REST API. */
export interface Change {
  /** The operation of the REST API that does the same. */
  readonly operation: string;
  readonly entity: AuditEntity;
  readonly before: unknown;
  readonly after: unknown;
  /** The lines that the command prints. */
  readonly says: readonly string[];
}

/** @throws {SluiceError} SETTINGS_INVALID, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function readPeople<T>(read: (people: People) => Promise<T>): Promise<T> {
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  const database = await openGatewayDatabase(config);
  try {
    return await read({ registry: createRegistry(database), config });
  } finally {
    await database.close();
  }
}

/**
 * Makes a change, records it in the same transaction, and prints what was done.
 * @returns the exit code. @throws like readPeople() and `change`
 */
export async function changePeople(change: (people: People) => Promise<Change>): Promise<number> {
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  const database = await openGatewayDatabase(config);
  try {
    const { says } = await database.transaction(async (tx) => {
      const made = await change({ registry: createRegistry(tx), config });
      if (!config.auditTrailEnabled) return made;
      const changes = changesBetween(made.before, made.after);
      const record = operatorRecord("command line", made.operation, made.entity, changes);
      await new AuditRecords(tx).append([record]);
      return made;
    });
    for (const line of says) console.log(line);
    await tellReplicas(config, database, "change");
    return 0;
  } finally {
    await database.close();
  }
}

/** @throws {SluiceError} USAGE_INVALID if there is none */
export async function userNamed({ registry }: People, email: string): Promise<UserRow> {
  const user = await registry.people.users.get(email);
  if (user !== null) return user;
  throw mistake(`no user has the address ${email}; \`sluice user list\` shows those that there are`);
}

export function mistake(reason: string): SluiceError {
  return new SluiceError("USAGE_INVALID", { mistakes: reason }, { data: [reason] });
}
