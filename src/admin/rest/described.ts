// Descriptions of the fields of requests and answers, for the OpenAPI document.
import type { z } from "zod";

/** The field with its description and an example value, which has to be valid. */
export function field<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  example?: z.input<Schema>,
): Schema {
  return schema.meta(example === undefined ? { description } : { description, examples: [example] });
}

/** The JSON Schema of what clients write, for a schema that reads it with functions. The document shows it in place of zod's. */
export function writtenAs<Schema extends z.ZodType>(
  schema: Schema,
  written: z.core.JSONSchema.BaseSchema,
): Schema {
  return schema.meta({ written });
}
