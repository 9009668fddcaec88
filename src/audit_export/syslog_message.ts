// A record as a syslog message (RFC 5424: https://www.rfc-editor.org/rfc/rfc5424).
import { type AuditRecord, type ChainedRecord, exportText, GAP } from "../store/audit/audit_record.ts";

/** Section 6.2.1: "log audit". */
const FACILITY = 13;

const SEVERITIES = { done: 6, refused: 4, failed: 5 } as const satisfies Record<
  AuditRecord["outcome"],
  number
>;
const GAP_SEVERITY = 3;

/** Section 7.3.1: the largest `sequenceId`, after which it begins again with 1. */
const MAX_SEQUENCE_ID = 2_147_483_647;

/** Section 6: the longest host name. */
const MAX_HOST_CHARS = 255;

/** What a UDP datagram can hold, without its head (RFC 5426, section 3.2). A longer record goes without its changes. */
const MAX_UDP_CHARS = 60_000;

export interface SyslogSender {
  readonly host: string;
  readonly pid: number;
}

/** @param isDatagram the message has to fit into a datagram. @returns ASCII text, which no receiver can misread */
export function syslogMessage(
  record: ChainedRecord,
  { host, pid }: SyslogSender,
  isDatagram: boolean,
): string {
  const content: AuditRecord = JSON.parse(record.text);
  const severity = content.operation === GAP ? GAP_SEVERITY : SEVERITIES[content.outcome];
  const whole = inAscii(exportText(record));
  const text = !isDatagram || whole.length <= MAX_UDP_CHARS
    ? whole
    : inAscii(exportText(shortened(record, content)));
  const id = (record.sequence - 1) % MAX_SEQUENCE_ID + 1;
  return `<${FACILITY * 8 + severity}>1 ${content.at} ${
    named(host)
  } sluice ${pid} audit [meta sequenceId="${id}"] ${text}`;
}

/** The hash is that of the whole record. */
function shortened(record: ChainedRecord, content: AuditRecord): ChainedRecord {
  return { ...record, text: JSON.stringify({ ...content, fields: [], changes: {}, shortened: true }) };
}

function inAscii(json: string): string {
  return json.replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function named(host: string): string {
  const name = host.replaceAll(/[^\x21-\x7e]/g, "").slice(0, MAX_HOST_CHARS);
  return name === "" ? "-" : name;
}
