// Forms: fields with their hints and faults, and buttons that send.
import type { Child } from "hono/jsx";
import type { FormFields } from "../call/page_call.ts";
import type { Refusal } from "../call/rest.ts";

/** What a form shows: the values as they were sent, and why they were refused. */
export interface FormState {
  readonly values: URLSearchParams;
  readonly refused: Refusal | null;
}

export const NEW_FORM: FormState = { values: new URLSearchParams(), refused: null };

/** The words of a refusal, above the form: those that belong to no field of it are listed. */
export function RefusalBox({ refused, shown }: {
  readonly refused: Refusal | null;
  /** The fields of the form, by the names of the REST API. */
  readonly shown: readonly string[];
}) {
  if (refused === null) return null;
  const others = refused.faults.filter(({ loc }) => !shown.includes(fieldOf(loc)));
  return (
    <div class="notice bad" role="alert">
      <p>
        {refused.text}
        {others.map(({ loc, msg }) => <span>{` ${fieldOf(loc)}: ${msg}`}</span>)}
      </p>
    </div>
  );
}

interface FieldProps {
  /** The name in the REST API. */
  readonly name: string;
  readonly label: string;
  readonly form: FormState;
  readonly hint?: Child;
}

interface TextFieldProps extends FieldProps {
  readonly type?: "text" | "url" | "email" | "password" | "number" | "search" | "datetime-local";
  readonly placeholder?: string;
  readonly required?: boolean;
  /** Shown until the form was sent. */
  readonly initial?: string;
  readonly isCode?: boolean;
  /** More than one line. */
  readonly rows?: number;
  readonly autocomplete?: string;
  /** The script puts what follows the # of the address into the field. */
  readonly isFromHash?: boolean;
}

export function TextField(props: TextFieldProps) {
  const { name, form, initial, isCode, rows, type = "text", isFromHash } = props;
  const { id, describedBy, isInvalid } = idsOf(props);
  // A password is typed again: it is not sent back to the browser.
  const value = type === "password" ? "" : form.values.get(name) ?? initial ?? "";
  const shared = {
    id,
    name,
    placeholder: props.placeholder,
    required: props.required,
    class: isCode ? "code" : undefined,
    spellcheck: isCode ? false : undefined,
    "aria-describedby": describedBy,
    "aria-invalid": isInvalid ? "true" : undefined,
  } as const;
  return (
    <Field {...props}>
      {rows === undefined
        ? (
          <input
            {...shared}
            type={type}
            value={value}
            autocomplete={props.autocomplete ?? "off"}
            data-from-hash={isFromHash ? "" : undefined}
          />
        )
        : <textarea {...shared} rows={rows}>{value}</textarea>}
    </Field>
  );
}

export interface Option {
  readonly value: string;
  readonly label: string;
}

export function SelectField(
  props: FieldProps & {
    readonly options: readonly Option[];
    readonly initial?: string;
    readonly required?: boolean;
  },
) {
  const { name, form, options, initial, required } = props;
  const { id, describedBy, isInvalid } = idsOf(props);
  const chosen = form.values.get(name) ?? initial ?? options[0]?.value;
  return (
    <Field {...props}>
      <select
        id={id}
        name={name}
        required={required}
        aria-describedby={describedBy}
        aria-invalid={isInvalid ? "true" : undefined}
      >
        {options.map(({ value, label }) => <option value={value} selected={value === chosen}>{label}
        </option>)}
      </select>
    </Field>
  );
}

export function CheckField(props: FieldProps & { readonly initial?: boolean }) {
  const { name, label, form, hint, initial = false } = props;
  const { id, describedBy } = idsOf(props);
  const wasSent = form.values.size > 0;
  return (
    <div class="field">
      <div class="choice">
        <input
          {...{ id, name, type: "checkbox", value: "true" }}
          checked={wasSent ? form.values.has(name) : initial}
          aria-describedby={describedBy}
        />
        <label for={id}>{label}</label>
      </div>
      {hint !== undefined && <span class="hint" id={`${id}-hint`}>{hint}</span>}
    </div>
  );
}

function Field({ children, ...props }: FieldProps & { readonly children: Child }) {
  const { label, hint, name, form } = props;
  const { id } = idsOf(props);
  const faults = form.refused?.faults.filter(({ loc }) => fieldOf(loc) === name) ?? [];
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint !== undefined && <span class="hint" id={`${id}-hint`}>{hint}</span>}
      {faults.length > 0 && (
        <span class="fault" id={`${id}-fault`}>{faults.map(({ msg }) => msg).join("; ")}</span>
      )}
    </div>
  );
}

function idsOf({ name, hint, form }: Pick<FieldProps, "name" | "hint" | "form">) {
  const id = `field-${name}`;
  const isInvalid = form.refused?.faults.some(({ loc }) => fieldOf(loc) === name) === true;
  const described = [...(hint === undefined ? [] : [`${id}-hint`]), ...(isInvalid ? [`${id}-fault`] : [])];
  return { id, isInvalid, describedBy: described.length === 0 ? undefined : described.join(" ") };
}

/** `["body", "auth", 0]`: auth */
function fieldOf(loc: readonly (string | number)[]): string {
  return String(loc[0] === "body" ? loc[1] ?? "" : loc[0] ?? "");
}

export interface Confirmation {
  /** `Delete the role ops?` */
  readonly question: string;
  /** What is lost: a sentence. */
  readonly loss: string;
}

/** What `data-confirm` buttons of the page ask in. The script opens it; without a script nothing is asked. */
export function ConfirmationDialog() {
  return (
    <dialog
      id="confirmation"
      role="alertdialog"
      aria-labelledby="confirmation-question"
      aria-describedby="confirmation-loss"
    >
      <form method="dialog">
        <h2 id="confirmation-question"></h2>
        <p id="confirmation-loss"></p>
        <div class="buttons">
          <button type="submit" value="no" autofocus>Cancel</button>
          <button type="submit" value="yes" class="danger"></button>
        </div>
      </form>
    </dialog>
  );
}

/** A button that is a form of its own. */
export function PostButton({ path, label, class: style, fields = {}, confirm }: {
  /** Relative to `/admin/`. */
  readonly path: string;
  readonly label: string;
  readonly class?: string;
  readonly fields?: FormFields;
  /** Asked before something is lost that no button brings back. */
  readonly confirm?: Confirmation;
}) {
  return (
    <form method="post" action={path}>
      {Object.entries(fields).map(([name, values]) =>
        [values].flat().map((value) => <input type="hidden" name={name} value={value} />)
      )}
      <button type="submit" class={style} data-confirm={confirm?.question} data-loss={confirm?.loss}>
        {label}
      </button>
    </form>
  );
}
