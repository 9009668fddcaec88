// Settings whose text is JSON.
import * as z from "zod";
import type { Kind } from "../setting.ts";

/**
 * A kind of JSON text.
 * @param accepts completes the sentence "must be ..."
 * @param check returns why a value of the schema is refused, to follow the setting's name; null: it is accepted
 */
export function jsonOf<T>(
  accepts: string,
  schema: z.ZodType<T>,
  check: (value: T) => string | null = () => null,
): Kind<T, null> {
  return {
    unit: null,
    accepts,
    schema: z.string().transform((given, context) => {
      const refuse = (message: string) => {
        context.addIssue({ code: "custom", message });
        return z.NEVER;
      };
      let value: unknown;
      try {
        value = JSON.parse(given);
      } catch {
        return refuse(`must be ${accepts}`);
      }
      const read = schema.safeParse(value);
      if (!read.success) {
        const [{ path, message }] = read.error.issues;
        return refuse(`must be ${accepts}; at ${path.join(".") || "the top"}: ${message}`);
      }
      const fault = check(read.data);
      return fault === null ? read.data : refuse(fault);
    }),
  };
}
