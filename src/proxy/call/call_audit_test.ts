import { assertEquals } from "@std/assert";
import { principal } from "../../../tests/support/fakes.ts";
import { catalogRows } from "../../../tests/support/catalog_rows.ts";
import type { SluiceError } from "../../base/errors.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { RequestMessage } from "../../mcp/json_rpc.ts";
import type { AuditRecord } from "../../store/audit/audit_record.ts";
import { type AuditedCalls, CallAudit } from "./call_audit.ts";
import type { CallContext } from "./call_context.ts";
import { saysError } from "./outcome.ts";

const CALL = { principal: principal({ jti: "j1" }), scope: new Catalog(catalogRows({})).all } as CallContext;
const MESSAGE = {
  method: "tools/call",
  params: { name: "t", arguments: { pin: "hunter2" } },
} as unknown as RequestMessage;

function setUp(calls: AuditedCalls, refuses = false) {
  const added: AuditRecord[] = [];
  const noted: AuditRecord[] = [];
  const audit = new CallAudit({
    refuses,
    add: (record) => added.push(record),
    note: (record) => noted.push(record),
  }, calls);
  const ended = (text: string, failed = true, isToolCall = true) =>
    audit.ended(CALL, MESSAGE, {
      isToolCall,
      answer: { text, failed },
      toolFailed: !failed && isToolCall && saysError(text),
    });
  const admitted = (isToolCall: boolean) => {
    try {
      audit.admit(isToolCall);
      return "admitted";
    } catch (error) {
      return (error as SluiceError).code;
    }
  };
  return { added, noted, ended, admitted };
}

const own = (code: string) =>
  JSON.stringify({ code: -31403, message: "m", data: { source: "downstream", code } });

Deno.test("CallAudit records what AUDIT_TOOL_CALLS wants, and refusals for lack of a permission in any case", () => {
  const found = (["off", "failures", "all"] as const).map((calls) => {
    const { added, noted, ended } = setUp(calls);
    ended('{"content":[]}', false);
    ended('{"content":[],"isError":true}', false);
    ended(own("TOOL_NOT_FOUND"));
    ended(own("FORBIDDEN"));
    // An upstream cannot pretend that the gateway refused.
    ended('{"code":-32000,"message":"m","data":{"source":"upstream:downstream","code":"FORBIDDEN"}}');
    ended(own("FORBIDDEN"), true, false);
    return [added.map(({ code }) => code), noted.map(({ code }) => code)];
  });
  assertEquals(found, [
    [[], ["FORBIDDEN", "FORBIDDEN"]],
    [["isError", "TOOL_NOT_FOUND", "FORBIDDEN", "-32000"], ["FORBIDDEN"]],
    [[null, "isError", "TOOL_NOT_FOUND", "FORBIDDEN", "-32000"], ["FORBIDDEN"]],
  ]);
  const { added, ended } = setUp("all");
  ended(own("FORBIDDEN"));
  const [{ outcome, fields, entity, actor }] = added;
  assertEquals([outcome, fields, entity, actor?.tokenId], ["refused", ["pin"], {
    kind: "tool",
    id: "t",
    name: "t",
  }, "j1"]);
  assertEquals(JSON.stringify(added).includes("hunter2"), false);
});

Deno.test("CallAudit refuses calls of tools that it would have to record while the trail is full, and records none of these", () => {
  const { added, noted, ended } = setUp("all", true);
  ended(own("AUDIT_UNAVAILABLE"));
  assertEquals([added, noted], [[], []]);
  assertEquals(setUp("all", true).admitted(true), "AUDIT_UNAVAILABLE");
  assertEquals(setUp("failures", true).admitted(true), "AUDIT_UNAVAILABLE");
  assertEquals([
    setUp("all", true).admitted(false),
    setUp("off", true).admitted(true),
    setUp("all").admitted(true),
  ], [
    "admitted",
    "admitted",
    "admitted",
  ]);
});
