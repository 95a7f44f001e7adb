import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type * as z from 'zod';
import { BUNDLE_FILES, LIMIT, rowsOf } from '../../tools/reference.ts';
import { fieldsOf } from './fields.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/reference.md'), 'utf8');

const LIMITS = new Map([[LIMIT.schema as z.core.$ZodType, LIMIT.link]]);

/** The rows as the schema has them. */
function expected(schema: z.core.$ZodType, known: ReadonlyMap<z.core.$ZodType, string>): string[][] {
  return fieldsOf(schema, known).map(({ path, required, form }) => [`\`${path}\``, required ? 'yes' : '', form]);
}

for (const [heading, schema] of [...Object.entries(BUNDLE_FILES), [LIMIT.heading, LIMIT.schema] as const]) {
  test(`reference ${heading}: every field, in the order of the schema, with its form and a meaning`, () => {
    const rows = rowsOf(PAGE, heading);
    assert.deepEqual(
      rows.map((row) => row.slice(0, 3)),
      expected(schema, schema === LIMIT.schema ? new Map() : LIMITS),
    );
    for (const [field, , , means, ...more] of rows) {
      assert.ok((means ?? '').length > 4, `${field} has no meaning`);
      assert.deepEqual(more, [], `${field} has more cells`);
    }
  });
}
