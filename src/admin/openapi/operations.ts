// All operations of the route table, by name.
import { approvalOperations } from "./approvals/approval_operations.ts";
import { auditOperations } from "./system/audit_operations.ts";
import { entryOperations } from "./entry_operations.ts";
import { gatewayOperations } from "./gateway_operations.ts";
import { gatewayStateOperations } from "./gateway_state_operations.ts";
import { logOperations } from "./system/log_operations.ts";
import { doctorOperations } from "./system/doctor_operations.ts";
import { settingOperations } from "./system/setting_operations.ts";
import { metricsOperations } from "./system/metrics_operations.ts";
import type { Operation } from "./operation.ts";
import { serverOperations } from "./server_operations.ts";
import { applicationOperations } from "./people/application_operations.ts";
import { connectionOperations } from "./people/connection_operations.ts";
import { roleOperations } from "./people/role_operations.ts";
import { quotaOperations } from "./people/quota_operations.ts";
import { teamOperations } from "./people/team_operations.ts";
import { tokenOperations } from "./people/token_operations.ts";
import { sessionOperations } from "./people/session_operations.ts";
import { userOperations } from "./people/user_operations.ts";

export const OPERATIONS = {
  ...auditOperations,
  ...logOperations,
  ...metricsOperations,
  ...settingOperations,
  ...doctorOperations,
  ...gatewayOperations,
  ...approvalOperations,
  ...entryOperations,
  ...serverOperations,
  ...gatewayStateOperations,
  ...userOperations,
  ...sessionOperations,
  ...teamOperations,
  ...roleOperations,
  ...quotaOperations,
  ...tokenOperations,
  ...applicationOperations,
  ...connectionOperations,
} as const satisfies Readonly<Record<string, Operation>>;

/** The operation ids of the OpenAPI document. */
export type OperationName = keyof typeof OPERATIONS;
