// A form for the arguments of a tool or prompt, from a JSON Schema: a field for each property. What a field cannot say is written as JSON.
import { type FormState, type Option, SelectField, TextField } from "../parts/form.tsx";

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

export function ArgumentFields(
  { schema, form, noun = "tool" }: {
    readonly schema: ArgumentsSchema;
    readonly form: FormState;
    readonly noun?: string;
  },
) {
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

/** The arguments that a sent form gives, and what is wrong with them. An empty field that may be left out is left out. */
export function argumentsIn(schema: ArgumentsSchema, sent: URLSearchParams) {
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
  return { args, faults };
}
