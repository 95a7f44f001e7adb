import { NAME } from './forms.ts';

/** When a ladder's step is taken: the limit has spent so many percent, 1 to 100. */
export interface Condition {
  readonly limit: string;
  readonly percent: number;
}

export const CONDITION = new RegExp(`^(100|[1-9][0-9]?)% of (${NAME})$`);

/** Reads `80% of monthly-spend`; undefined for anything else. */
export function parseCondition(text: string): Condition | undefined {
  const match = CONDITION.exec(text);
  return match === null ? undefined : { limit: match[2]!, percent: Number(match[1]) };
}
