// Places for the messages of batches, as a worker at rest has them.
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import { Callers } from "../../src/auth/callers.ts";
import type { BatchPlaces } from "../../src/downstream/exchange/batch.ts";
import { Admission } from "../../src/http/limits/admission.ts";

export function batchPlaces(
  requests = 1_000,
  calls = 1_000,
  streams = 1_000,
  memoryChars = 64 * 1024 * 1024,
): BatchPlaces {
  const memory = new ClientMemory(memoryChars);
  return {
    admission: new Admission({ requests, streams: 1_000 }),
    callers: new Callers({ calls, streams }, memory),
    memory,
  };
}
