// The decision about one item of an import: whether the registry has it, has another in its place, or has none.
import { type AuditRecord, changesBetween } from "../../store/audit/audit_record.ts";
import type { EntityRow } from "../../store/registry/rows.ts";
import type { AdminDeps } from "../rest/deps.ts";
import type { Item, ItemKind, LeftOut } from "./bundle.ts";
import type { Strategy } from "../configurations/transfer_schemas.ts";

/** taken: it is new here. skipped: something else has its place, and stays. left_out: it cannot be taken. */
export type Outcome = "taken" | "changed" | "unchanged" | "skipped" | "left_out";

/** The outcome of one item. */
export interface PlanLine {
  readonly kind: LeftOut["kind"];
  readonly label: string;
  readonly outcome: Outcome;
  /** Why it is skipped or left out. */
  readonly reason: string | null;
  /** Differences from the source, as sentences. */
  readonly notes: readonly string[];
}

/** The state that the planning of all kinds shares. */
export interface Planning {
  readonly strategy: Strategy;
  readonly toolNames: AdminDeps["toolNames"];
  readonly lines: PlanLine[];
  /** With strategy "fail": what stands in the way. */
  readonly conflicts: string[];
  /** Whether the caller of the import sees this entity of the registry. */
  readonly sees: (row: EntityRow) => boolean;
}

/** The same, for gateways, their entries and servers. */
export interface EntityPlanning extends Planning {
  /** The row with the team that it has here. */
  readonly placed: <Row extends EntityRow>(row: Row) => Row;
  /** The fields that only this gateway's own exports have are compared too. */
  readonly isOwnExport: boolean;
}

/** same: what is here is the item already. keep: what is here stays, and is something else. */
export type Decision = "insert" | "update" | "rename" | "same" | "keep";

/** The item as it is told, by what the decision makes of it. */
export interface Judged<Row> {
  readonly kind: ItemKind;
  readonly item: Item<Row>;
  /** The row that has its id or name here; undefined: none. */
  readonly found: Row | undefined;
  /** The fields in which the two differ. */
  readonly differences: readonly string[];
  /** Can the item be taken under another name? */
  readonly canRename: boolean;
  /** The row comes from this import too: two items have one name here. Both are taken. */
  readonly isTwin?: boolean;
  /** The caller may not see the row. */
  readonly isHidden?: boolean;
}

const HIDDEN = "here it belongs to people whose entries you do not see";

/** Decides about an item, and adds its line. A rename adds its own. */
export function decide<Row>(
  { strategy, lines, conflicts }: Planning,
  { kind, item: { label, notes }, found, differences, canRename, isTwin = false, isHidden = false }: Judged<
    Row
  >,
): Decision {
  const tell = (outcome: Outcome, reason: string | null = null) =>
    void lines.push({ kind, label, outcome, reason, notes: outcome === "unchanged" ? [] : notes });
  if (found === undefined) {
    tell("taken");
    return "insert";
  }
  if (isHidden) {
    if (strategy === "fail") conflicts.push(`the ${kind} "${label}": ${HIDDEN}`);
    tell("skipped", HIDDEN);
    return "keep";
  }
  if (isTwin && strategy !== "fail") return "rename";
  // An update leaves the id of what is here, so that the ids still differ in a second run.
  const changes = strategy === "update" ? differences.filter((field) => field !== "id") : differences;
  if (changes.length === 0 && !isTwin) {
    tell("unchanged");
    return "same";
  }
  const words = isTwin
    ? "another one of this import has its name here"
    : `here it has another ${differences.map(wordOf).join(", ")}`;
  switch (strategy) {
    case "update":
      tell("changed");
      return "update";
    case "rename":
      if (canRename) return "rename";
      break;
    case "fail":
      conflicts.push(`the ${kind} "${label}": ${words}`);
  }
  tell("skipped", words);
  return "keep";
}

/** For the audit trail: the names of what an import has made and changed, by kind. */
export function auditedImport(lines: readonly PlanLine[]): AuditRecord["changes"] {
  const done = lines.filter(({ outcome }) => outcome === "taken" || outcome === "changed");
  const byKind = Map.groupBy(done, ({ kind, outcome }) => `${kind} ${outcome}`);
  return changesBetween(
    null,
    Object.fromEntries([...byKind].map(([name, group]) => [name, group.map(({ label }) => label)])),
  );
}

/** The fields in which two rows differ. */
export function differencesOf<Row extends object>(
  wanted: Row,
  present: Row,
  fields: readonly (keyof Row & string)[],
): string[] {
  return fields.filter((field) => JSON.stringify(wanted[field]) !== JSON.stringify(present[field]));
}

/** The values of some fields. */
export function fieldsOf<Row extends object>(
  row: Row,
  fields: readonly (keyof Row & string)[],
): Partial<Row> {
  return Object.fromEntries(fields.map((field) => [field, row[field]])) as Partial<Row>;
}

const MAX_NAME_CHARS = 255;

/** The name with "-2", "-3" and so on, the first that is free. */
export function freeName(name: string, isTaken: (name: string) => boolean): string {
  for (let number = 2;; number++) {
    const suffix = `-${number}`;
    const candidate = name.slice(0, MAX_NAME_CHARS - suffix.length) + suffix;
    if (!isTaken(candidate)) return candidate;
  }
}

/** Adds the line of an item that is taken under another name. */
export function takenAs(
  { lines }: Planning,
  kind: ItemKind,
  { label, notes }: Item<unknown>,
  name: string,
): void {
  const note = `its name is "${name}" here: the other is in use`;
  lines.push({ kind, label, outcome: "taken", reason: null, notes: [...notes, note] });
}

/** Has `present` the name of `wanted`, or one that a rename gave it? */
export function isNameOf(wanted: string, present: string): boolean {
  return present === wanted ||
    /^-[1-9]\d*$/.test(present.slice(wanted.length)) && present.startsWith(wanted);
}

function wordOf(field: string): string {
  return WORDS[field] ?? field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

const WORDS: Readonly<Record<string, string>> = {
  ...{ toolIds: "list of tools", resourceIds: "list of resources", promptIds: "list of prompts" },
  ...{ gatewayIds: "list of gateways", enabled: "switch (on or off)", teamId: "team", ownerEmail: "owner" },
  ...{ isAdmin: "right of administration", isActive: "state", caCertificate: "CA certificate", url: "URL" },
  ...{ refreshIntervalSeconds: "refresh interval", timeoutMs: "timeout", memberTags: "list of tags" },
};
