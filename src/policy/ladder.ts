/** Ladders of plans: from rows to steps. */
import { parseCondition } from './condition.ts';
import type { LadderStep } from './policy.ts';
import { type Problems, show } from './problem.ts';
import type { PlanEntry } from './schema.ts';
import type { Path, Source } from './source.ts';

/** Rows with the same `from` are the conditions of one step. */
export function compileLadder(
  rows: NonNullable<PlanEntry['ladder']>,
  { source, path, problems }: { readonly source: Source; readonly path: Path; readonly problems: Problems },
): ReadonlyMap<string, LadderStep> {
  const steps = new Map<string, { from: string; use: string; when: { limit: string; percent: number }[] }>();
  for (const [index, row] of rows.entries()) {
    const { limit, percent } = parseCondition(row.at)!;
    const step = steps.get(row.from) ?? { from: row.from, use: row.use, when: [] };
    if (step.use !== row.use) {
      problems.report('ladder-conflict', source.at([...path, index, 'use']), {
        expected: `\`${step.use}\`, as the step from \`${row.from}\` above says`,
        found: show(row.use),
      });
    }
    if (step.when.some((each) => each.limit === limit)) {
      problems.report('ladder-conflict', source.at([...path, index, 'at']), {
        text: `limit \`${limit}\` is already a condition of the step from \`${row.from}\``,
      });
    } else step.when.push(Object.freeze({ limit, percent }));
    steps.set(row.from, step);
  }
  for (const step of steps.values()) {
    Object.freeze(step.when);
    Object.freeze(step);
  }
  return steps;
}
