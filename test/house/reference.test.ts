import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type * as z from 'zod';
import {
  accessSchema,
  accountsSchema,
  keysSchema,
  limitSchema,
  modelsSchema,
  plansSchema,
  trafficSchema,
} from '../../src/policy/schema.ts';
import { settingsSchema } from '../../src/policy/settings.ts';
import { fieldsOf } from './fields.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/reference.md'), 'utf8');

const SECTIONS: Readonly<Record<string, z.core.$ZodType>> = {
  'access.yaml': accessSchema,
  'keys/*.yaml': keysSchema,
  'plans.yaml': plansSchema,
  'accounts/*.yaml': accountsSchema,
  'traffic.yaml': trafficSchema,
  'models.yaml': modelsSchema,
  'tollgate.yaml': settingsSchema,
};
const LIMIT = new Map([[limitSchema as z.core.$ZodType, '[a limit](#a-limit)']]);

/** Rows of the table under a heading: field, whether it must be there, form, meaning. */
function rowsOf(heading: string): string[][] {
  const section = PAGE.split(/^## /m).find((each) => each.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `no section \`${heading}\``);
  const lines = section.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The rows as the schema has them. */
function expected(schema: z.core.$ZodType, known: ReadonlyMap<z.core.$ZodType, string>): string[][] {
  return fieldsOf(schema, known).map(({ path, required, form }) => [`\`${path}\``, required ? 'yes' : '', form]);
}

for (const [heading, schema] of [...Object.entries(SECTIONS), ['a limit', limitSchema] as const]) {
  test(`reference ${heading}: every field, in the order of the schema, with its form and a meaning`, () => {
    const rows = rowsOf(heading);
    assert.deepEqual(
      rows.map((row) => row.slice(0, 3)),
      expected(schema, schema === limitSchema ? new Map() : LIMIT),
    );
    for (const [field, , , means, ...more] of rows) {
      assert.ok((means ?? '').length > 4, `${field} has no meaning`);
      assert.deepEqual(more, [], `${field} has more cells`);
    }
  });
}
