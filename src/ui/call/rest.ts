// The REST API in the same process, as pages use it.
import { type ErrorCode, SluiceError } from "../../base/errors.ts";
import { operatorText } from "../../base/seen_answer.ts";

/** A fault of one field, as a 422 of the REST API lists it. */
export interface FieldFault {
  /** `["body", "url"]` */
  readonly loc: readonly (string | number)[];
  readonly msg: string;
}

/** A refused write: what to show above the form, and beside its fields. */
export interface Refusal {
  readonly text: string;
  readonly code: ErrorCode;
  readonly faults: readonly FieldFault[];
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * One request to the REST API.
 * @param path with its query: `/tools?limit=0`
 * @throws {SluiceError} what the REST API answers with an error
 */
export type Ask = (method: Method, path: string, body?: unknown) => Promise<unknown>;

export class Rest {
  /** @param onRefused told of a write whose refusal a page shows, which nothing else notices */
  constructor(private readonly ask: Ask, private readonly onRefused: (error: SluiceError) => void) {}

  /** @throws {SluiceError} */
  async get<T>(path: string): Promise<T> {
    return await this.ask("GET", path) as T;
  }

  /** @throws {SluiceError} */
  async send<T>(method: Exclude<Method, "GET">, path: string, body?: unknown): Promise<T> {
    return await this.ask(method, path, body) as T;
  }

  /** A write whose refusal the page shows beside the form. Failures of the gateway itself are thrown. */
  async attempt<T>(
    method: Exclude<Method, "GET">,
    path: string,
    body?: unknown,
  ): Promise<{ readonly done: T } | { readonly refused: Refusal }> {
    try {
      return { done: await this.send<T>(method, path, body) };
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code === "INTERNAL") throw error;
      this.onRefused(error);
      return { refused: refusalOf(error) };
    }
  }

  /** null where the viewer may not read it, or it is not there. */
  async find<T>(path: string): Promise<T | null> {
    try {
      return await this.get<T>(path);
    } catch (error) {
      if (error instanceof SluiceError && (error.code === "FORBIDDEN" || error.code === "NOT_FOUND")) {
        return null;
      }
      throw error;
    }
  }
}

export function refusalOf(error: SluiceError): Refusal {
  const faults = Array.isArray(error.data) ? error.data as FieldFault[] : [];
  return {
    ...refusalFor(faults),
    code: error.code,
    ...(faults.length === 0 ? { text: operatorText(error) } : {}),
  };
}

/** @param faults at least one */
export function refusalFor(faults: readonly FieldFault[]): Refusal {
  return { text: "Some fields have to be changed.", code: "VALIDATION_FAILED", faults };
}
