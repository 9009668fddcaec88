// A form for the arguments of a tool or prompt, from a JSON Schema: a field for each property. What a field cannot say is written as JSON.
import type { Refusal } from "../call/rest.ts";
import { type FormState, type Option, RefusalBox, SelectField, TextField } from "../parts/form.tsx";

interface Property {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly format?: string;
}

export interface ArgumentsSchema {
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
}

/** The form's names begin with this, so that an argument may have any name. */
const PREFIX = "argument.";

interface ArgumentFieldsProps {
  readonly noun: "tool" | "prompt";
  readonly schema: ArgumentsSchema;
  readonly form: FormState;
}

/** The form that calls a tool or renders a prompt. @param label of its button */
export function TryForm({ id, label, ...fields }: ArgumentFieldsProps & {
  readonly id: string;
  readonly label: string;
}) {
  const { noun, form } = fields;
  return (
    <>
      <h2>Try it</h2>
      <RefusalBox
        refused={form.refused}
        shown={form.refused?.faults.map(({ loc }) => String(loc[0])) ?? []}
      />
      <form class="form" method="post" action={`${noun}s/${id}#result`} data-remembered={`${noun} ${id}`}>
        <ArgumentFields {...fields} />
        <div class="buttons">
          <button type="submit" class="main long">{label}</button>
        </div>
      </form>
    </>
  );
}

function ArgumentFields({ noun, schema, form }: ArgumentFieldsProps) {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return <p class="soft">This {noun} takes no arguments.</p>;
  return (
    <>
      {properties.map(([name, property]) => (
        <ArgumentField {...{ name, property, form }} required={schema.required?.includes(name) === true} />
      ))}
    </>
  );
}

function ArgumentField({ name, property, form, required }: {
  readonly name: string;
  readonly property: Property;
  readonly form: FormState;
  readonly required: boolean;
}) {
  const { description, default: initial } = property;
  const type = typeOf(property);
  const label = `${property.title ?? name}${required ? "" : " (optional)"}`;
  const hint = [description, type === "json" ? "Write JSON." : undefined].filter((text) => text !== undefined)
    .join(" ");
  const shared = { name: PREFIX + name, label, form, hint: hint === "" ? undefined : hint };
  const given = initial === undefined
    ? undefined
    : typeof initial === "string"
    ? initial
    : JSON.stringify(initial);
  if (type === "choice") {
    const options: Option[] = (property.enum ?? [true, false])
      .map((value) => ({ value: JSON.stringify(value), label: String(value) }));
    const all = required ? options : [{ value: "", label: "not given" }, ...options];
    return (
      <SelectField
        {...shared}
        options={all}
        initial={initial === undefined ? undefined : JSON.stringify(initial)}
      />
    );
  }
  const isLong = type === "json" || /text|content|body|prompt|query|message/i.test(name);
  return (
    <TextField
      {...shared}
      {...{ required, initial: given }}
      isCode={type === "json"}
      rows={isLong ? 4 : undefined}
    />
  );
}

type FieldType = "text" | "number" | "choice" | "json";

function typeOf({ type, enum: values }: Property): FieldType {
  if (values !== undefined && values.length > 0) return "choice";
  const only = Array.isArray(type) ? type.filter((each) => each !== "null") : [type];
  if (only.length !== 1) return "json";
  switch (only[0]) {
    case "string":
      return "text";
    case "number":
    case "integer":
      return "number";
    case "boolean":
      return "choice";
    default:
      return "json";
  }
}

/** The arguments that a sent form gives, and what is wrong with them; null: nothing. An empty field that may be left out is left out. */
export function argumentsIn(
  schema: ArgumentsSchema,
  sent: URLSearchParams,
): { readonly args: Readonly<Record<string, unknown>>; readonly refused: Refusal | null } {
  const faults: { readonly loc: readonly string[]; readonly msg: string }[] = [];
  const args: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const text = sent.get(PREFIX + name) ?? "";
    const isRequired = schema.required?.includes(name) === true;
    const type = typeOf(property);
    if (text === "" && !(isRequired && type === "text")) {
      if (isRequired) faults.push({ loc: [PREFIX + name], msg: "is required" });
      continue;
    }
    if (type === "text") {
      args[name] = text;
      continue;
    }
    try {
      args[name] = JSON.parse(text);
      if (type === "number" && typeof args[name] !== "number") throw new Error("not a number");
    } catch {
      faults.push({ loc: [PREFIX + name], msg: type === "number" ? "is not a number" : "is not JSON" });
    }
  }
  const text = "Some arguments have to be changed.";
  return { args, refused: faults.length === 0 ? null : { text, code: "VALIDATION_FAILED", faults } };
}
