// How many messages one JSON-RPC batch may hold.
export const BATCH_LIMIT = 100;
