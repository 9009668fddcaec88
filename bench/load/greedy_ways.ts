// The ways of being greedy that greedy_caller.ts knows.

export const GREEDY_WAYS = [
  "batches of 100 slow calls",
  "batches of 100 lists",
  "calls",
  "large answers",
  "unread large answers",
  "huge bodies",
  "slow bodies",
  "sessions",
  "events of sessions",
  "GET streams",
  "resources/subscribe",
  "subscriptions/listen",
  "parked calls",
  "registry reads",
  "refused calls",
  "no token",
  "connection churn",
] as const;

export type GreedyWay = typeof GREEDY_WAYS[number];
