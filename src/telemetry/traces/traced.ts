// A part of a call as a span of its own.
import type { Traced } from "./span.ts";

/** Records how long `work` takes. @param trace undefined: the call is not traced */
export async function traced<T>(
  trace: Traced | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const span = trace?.begin(name, "internal");
  try {
    return await work();
  } finally {
    span?.end();
  }
}
