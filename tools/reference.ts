/** The files of a bundle by their headings in docs/reference.md, and what the page says of their fields. */
import type * as z from 'zod';
import {
  accessSchema,
  accountsSchema,
  keysSchema,
  limitSchema,
  modelsSchema,
  plansSchema,
  trafficSchema,
} from '../src/policy/schema.ts';
import { settingsSchema } from '../src/policy/settings.ts';

/** In the order of the page. */
export const BUNDLE_FILES = {
  'access.yaml': accessSchema,
  'keys/*.yaml': keysSchema,
  'plans.yaml': plansSchema,
  'accounts/*.yaml': accountsSchema,
  'traffic.yaml': trafficSchema,
  'models.yaml': modelsSchema,
  'tollgate.yaml': settingsSchema,
} as const satisfies Readonly<Record<string, z.ZodType>>;
export type Heading = keyof typeof BUNDLE_FILES;

/** A mapping that several files hold has a section of its own. */
export const LIMIT = { heading: 'a limit', link: '[a limit](#a-limit)', schema: limitSchema } as const;

/** The rows of the table under `heading`, cell by cell: field, whether it must be there, form, meaning. Throws: no such section. */
export function rowsOf(page: string, heading: string): string[][] {
  const lines = sectionOf(page, heading).filter((line) => line.startsWith('| `'));
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The paragraph under `heading`. */
export function introOf(page: string, heading: string): string {
  return sectionOf(page, heading)[2] ?? '';
}

function sectionOf(page: string, heading: string): readonly string[] {
  const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`no section \`${heading}\``);
  return section.split('\n');
}
