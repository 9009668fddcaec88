// Chooses one of thousands: what is always offered, the first of the others, and what is searched for.
import type { View } from "../call/page_call.ts";
import type { Option } from "./form.tsx";
import { LATEST, MoreFound } from "./search_list.tsx";

export interface FoundOptions {
  readonly options: readonly Option[];
  /** So many more fit. */
  readonly more: number;
}

export interface ChoicePickerProps {
  /** The name in the form. */
  readonly name: string;
  readonly label: string;
  readonly fixed: readonly Option[];
  readonly chosen: Option;
  /** What is searched for: `a team`. */
  readonly noun: string;
  /** Of the search, relative to `/admin/`: it answers `foundView()`. */
  readonly path: string;
  /** What is offered before anything is searched for. */
  readonly found: FoundOptions;
}

export function ChoicePicker({ name, label, fixed, chosen, noun, path, found }: ChoicePickerProps) {
  const id = `pick-${name}`;
  const search = `Search for ${noun}`;
  const isFixed = fixed.some(({ value }) => value === chosen.value);
  const others = found.options.filter(({ value }) => value !== chosen.value);
  return (
    <fieldset class="field picker">
      <legend>{label}</legend>
      <div data-chosen>
        {(isFixed ? fixed : [...fixed, chosen]).map((option) => (
          <Choice {...{ name, option }} isChosen={option.value === chosen.value} />
        ))}
      </div>
      {found.options.length > 0 && (
        <>
          <label class="sr-only" for={id}>{search}</label>
          <input
            {...{ id, name: "q", type: "search", placeholder: search, autocomplete: "off" }}
            hx-get={path}
            hx-trigger="input changed delay:200ms"
            hx-target={`#${id}-found`}
            hx-sync={LATEST}
          />
          <div id={`${id}-found`} aria-live="polite" data-found>
            <Choices name={name} found={{ ...found, options: others }} />
          </div>
        </>
      )}
    </fieldset>
  );
}

/** The part of the page below the field. */
export function foundView(name: string, found: FoundOptions): View {
  const isNothing = found.options.length === 0;
  return {
    title: "",
    isPart: true,
    body: isNothing ? <p class="soft">Nothing is found.</p> : <Choices {...{ name, found }} />,
  };
}

function Choices({ name, found: { options, more } }: {
  readonly name: string;
  readonly found: FoundOptions;
}) {
  return (
    <>
      {options.map((option) => <Choice {...{ name, option }} />)}
      <MoreFound more={more} />
    </>
  );
}

function Choice({ name, option: { value, label }, isChosen = false }: {
  readonly name: string;
  readonly option: Option;
  readonly isChosen?: boolean;
}) {
  return (
    <label class="choice">
      <input type="radio" name={name} value={value} checked={isChosen} />
      <span>{label}</span>
    </label>
  );
}
