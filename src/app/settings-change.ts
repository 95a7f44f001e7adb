import type { Settings } from '../policy/settings.ts';

/** Keys of the settings whose values differ. */
export function changedSettings(before: Settings, after: Settings): readonly (keyof Settings)[] {
  const keys = Object.keys(after) as (keyof Settings)[];
  return keys.filter((key) => textOf(before[key]) !== textOf(after[key]));
}

/** Maps and sets as JSON leaves them out. */
function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_key, each: unknown) => (each instanceof Map || each instanceof Set ? [...each] : each)) ??
    ''
  );
}
