// What becomes of an imported item whose place is taken by something that differs.

export const STRATEGIES = ["skip", "update", "rename", "fail"] as const;

export type Strategy = typeof STRATEGIES[number];

export function isStrategy(word: string): word is Strategy {
  return (STRATEGIES as readonly string[]).includes(word);
}
