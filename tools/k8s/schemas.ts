/** Objects against the committed schemas of Kubernetes (the oldest and the newest version that they are for) and Istio. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Fault } from './faults.ts';
import { type Manifest, nameOf } from './objects.ts';

const DIR = fileURLToPath(new URL('../../k8s/schemas', import.meta.url));
export const KUBERNETES_SCHEMAS = ['kubernetes-1.34', 'kubernetes-1.37'] as const;
export const ISTIO_SCHEMA = 'istio-1.31.4';
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
/** How much is said of one object: the rest follows from it more often than not. */
const FAULTS_MAX = 20;

interface SchemaFile {
  readonly source: string;
  readonly kinds: Readonly<Record<string, object>>;
  readonly $defs?: Readonly<Record<string, object>>;
}

type SchemaName = (typeof KUBERNETES_SCHEMAS)[number] | typeof ISTIO_SCHEMA | 'meshconfig';

/** Validators of the kinds of one file, compiled when first asked for. */
class Schemas {
  readonly #ajv = new Ajv2020({ allErrors: true, strictTypes: false, strictRequired: false });
  readonly #kinds: ReadonlyMap<string, object>;
  readonly #defs: { readonly $defs?: object };
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(name: SchemaName) {
    const { kinds, $defs } = read(name);
    this.#kinds = new Map(Object.entries(kinds));
    // Formats of Go's types say how wide a number is; those of strings have validators of the server's own.
    for (const format of FORMATS) this.#ajv.addFormat(format, true);
    this.#defs = $defs === undefined ? {} : { $defs };
    if (name === ISTIO_SCHEMA) {
      const newest = KUBERNETES_SCHEMAS.at(-1)!;
      const meta = read(newest).$defs;
      this.#ajv.addSchema({ $defs: meta, $ref: `#/$defs/${OBJECT_META}` }, 'objectmeta');
    }
  }

  /** Faults of an object, as `path: what`; undefined: the kind is not of this file. */
  validate(kind: string, object: unknown): readonly string[] | undefined {
    const validator = this.#validatorOf(kind);
    if (validator === undefined) return undefined;
    if (validator(object)) return [];
    return (validator.errors ?? []).slice(0, FAULTS_MAX).map(({ instancePath, message, params }) => {
      const extra = params as { additionalProperty?: string; allowedValues?: readonly unknown[] };
      const what = extra.additionalProperty ?? extra.allowedValues?.join('`, `');
      return `${instancePath === '' ? '/' : instancePath}: ${message}${what === undefined ? '' : ` (\`${what}\`)`}`;
    });
  }

  #validatorOf(kind: string): ValidateFunction | undefined {
    const schema = this.#kinds.get(kind);
    if (schema === undefined) return undefined;
    let validator = this.#compiled.get(kind);
    if (validator === undefined) {
      validator = this.#ajv.compile({ ...schema, ...this.#defs });
      this.#compiled.set(kind, validator);
    }
    return validator;
  }
}

const FORMATS = ['int32', 'int64', 'uint32', 'uint64', 'double', 'byte', 'date-time', 'int-or-string'];

function read(name: SchemaName): SchemaFile {
  return JSON.parse(readFileSync(join(DIR, `${name}.json`), 'utf8')) as SchemaFile;
}

const loaded = new Map<SchemaName, Schemas>();

function schemasOf(name: SchemaName): Schemas {
  let schemas = loaded.get(name);
  if (schemas === undefined) {
    schemas = new Schemas(name);
    loaded.set(name, schemas);
  }
  return schemas;
}

/** Faults of rendered objects: unknown fields, missing ones, wrong types, and kinds that no schema is there for. */
export function schemaFaults(objects: readonly Manifest[]): readonly Fault[] {
  return objects.flatMap((object) => {
    const kind = `${object.apiVersion} ${object.kind}`;
    const isIstio = /\.istio\.io\//.test(object.apiVersion);
    const names: readonly SchemaName[] = isIstio ? [ISTIO_SCHEMA] : KUBERNETES_SCHEMAS;
    return names.flatMap((name) => {
      const found = schemasOf(name).validate(kind, object);
      return (found ?? [`no schema for \`${kind}\``]).map(
        (text): Fault => ({ check: 'schema', rule: name, at: nameOf(object), text }),
      );
    });
  });
}

/** Faults of the fragment of Istio's mesh configuration. */
export function meshConfigFaults(fragment: unknown): readonly Fault[] {
  const found = schemasOf('meshconfig').validate('MeshConfig', fragment) ?? [];
  return found.map((text): Fault => ({ check: 'schema', rule: 'meshconfig', at: 'meshconfig.yaml', text }));
}
