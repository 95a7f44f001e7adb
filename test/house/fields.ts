/** The fields that a schema of the bundle has, as docs/reference.md lists them. */
import type * as z from 'zod';

/** `path`: keys joined by dots, `NAME` for the keys of a mapping, `[]` for the entries of a list. */
export interface Field {
  readonly path: string;
  readonly required: boolean;
  /** How its value is written, in the words of `expected …`. */
  readonly form: string;
}

interface Def {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
}

/**
 * Every field, in the order of the schema. A mapping that was seen before (`known`: or that another section lists) is not
 * listed again: the form of its field is `see …`.
 */
export function fieldsOf(schema: z.core.$ZodType, known: ReadonlyMap<z.core.$ZodType, string> = new Map()): Field[] {
  const seen = new Map(known);
  const fields: Field[] = [];
  const enter = (each: z.core.$ZodType, path: string): void => {
    const def = defOf(each);
    if (def.shape !== undefined && !seen.has(each)) {
      seen.set(each, `\`${path}\``);
      for (const [key, value] of Object.entries(def.shape)) list(value, path === '' ? key : `${path}.${key}`);
    }
    for (const option of def.options ?? []) enter(option, path);
    if (def.element !== undefined) enter(def.element, `${path}[]`);
    if (def.valueType !== undefined) enter(def.valueType, path === '' ? 'NAME' : `${path}.NAME`);
  };
  const list = (value: z.core.$ZodType, path: string): void => {
    const inner = bare(value);
    const first = seen.get(entryOf(inner) ?? inner);
    const form = first === undefined ? (inner as z.ZodType).description : `see ${first}`;
    fields.push({ path, required: inner === value, form: form ?? 'a mapping' });
    enter(inner, path);
  };
  enter(schema, '');
  return fields;
}

/** The mapping with fields that a value is, or is a list or mapping of; undefined: it has none inside. */
function entryOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const def = defOf(schema);
  if (def.shape !== undefined) return schema;
  const inner = [...(def.options ?? []), def.element, def.valueType].filter((each) => each !== undefined);
  return inner.map((each) => entryOf(bare(each))).find((each) => each !== undefined);
}

function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const def = defOf(schema);
  return def.type === 'optional' && def.innerType !== undefined ? bare(def.innerType) : schema;
}

function defOf(schema: z.core.$ZodType): Def {
  return schema._zod.def as Def;
}
