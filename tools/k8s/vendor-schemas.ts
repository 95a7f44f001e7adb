/**
 * Makes k8s/schemas from the packages that they come from, unpacked into two directories:
 *
 *   pip download --no-deps kubernetes-validate==1.37.0   # unpack the wheel
 *   go mod download -json istio.io/api@v1.31.4           # prints its directory
 *   node tools/k8s/vendor-schemas.ts WHEEL_DIR MODULE_DIR
 *
 * Takes only the kinds used and what they refer to, and of those only what validation reads.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const OUT = fileURLToPath(new URL('../../k8s/schemas', import.meta.url));
/** The oldest Kubernetes that the manifests are for, and the newest there was. */
const KUBERNETES = ['1.34.0', '1.37.0'] as const;
const ISTIO = '1.31.4';

const KUBERNETES_KINDS = [
  'io.k8s.api.apps.v1.DaemonSet',
  'io.k8s.api.apps.v1.StatefulSet',
  'io.k8s.api.core.v1.ConfigMap',
  'io.k8s.api.core.v1.Namespace',
  'io.k8s.api.core.v1.PersistentVolumeClaim',
  'io.k8s.api.core.v1.Service',
  'io.k8s.api.core.v1.ServiceAccount',
  'io.k8s.api.networking.v1.NetworkPolicy',
  'io.k8s.api.policy.v1.PodDisruptionBudget',
];
const ISTIO_KINDS = [
  'AuthorizationPolicy v1',
  'DestinationRule v1',
  'EnvoyFilter v1alpha3',
  'PeerAuthentication v1',
  'Sidecar v1',
  'Telemetry v1',
];

type Schema = { [key: string]: unknown };

/** Keywords that a validator reads; the rest (descriptions, merge strategies, CEL rules) only speaks to people and servers. */
const KEYWORDS = [
  '$ref',
  'type',
  'enum',
  'required',
  'oneOf',
  'anyOf',
  'allOf',
  'not',
  'format',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
];

/** Without what no validator reads; `mapSub` is applied to each schema below. */
function trimmed(schema: unknown, mapSub: (schema: Schema) => Schema): unknown {
  if (Array.isArray(schema)) return schema.map((each) => trimmed(each, mapSub));
  if (typeof schema !== 'object' || schema === null) return schema;
  const from = mapSub(schema as Schema);
  const to: Schema = {};
  for (const [key, value] of Object.entries(from)) {
    if (key === 'properties' || key === 'patternProperties') {
      to[key] = Object.fromEntries(Object.entries(value as Schema).map(([name, sub]) => [name, trimmed(sub, mapSub)]));
    } else if (key === 'items' || key === 'additionalProperties' || key === 'not' || /^(one|any|all)Of$/.test(key)) {
      to[key] = trimmed(value, mapSub);
    } else if (KEYWORDS.includes(key)) to[key] = value;
  }
  return to;
}

async function kubernetes(wheelDir: string, version: string): Promise<void> {
  const dir = join(wheelDir, 'kubernetes_validate', 'kubernetes-json-schema', `v${version}-local-strict`);
  const { $defs: all } = JSON.parse(await readFile(join(dir, '_definitions.json'), 'utf8')) as { $defs: Schema };
  const $defs: Schema = {};
  const queue = [...KUBERNETES_KINDS];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (name in $defs) continue;
    if (all[name] === undefined) throw new Error(`Kubernetes ${version} has no \`${name}\``);
    $defs[name] = trimmed(all[name], (schema) => {
      const ref = schema['$ref'];
      if (typeof ref === 'string') queue.push(ref.slice('#/$defs/'.length));
      return schema;
    });
  }
  const kinds = Object.fromEntries(
    KUBERNETES_KINDS.map((name) => {
      const [group, apiVersion, kind] = name.replace('io.k8s.api.', '').split('.');
      const prefix = group === 'core' ? '' : `${group === 'networking' ? 'networking.k8s.io' : group}/`;
      return [`${prefix}${apiVersion} ${kind}`, { $ref: `#/$defs/${name}` }];
    }),
  );
  await write(`kubernetes-${version.replace(/\.0$/, '')}`, {
    source: `kubernetes-validate 1.37.0 (PyPI, Apache-2.0), v${version}-local-strict: the OpenAPI of Kubernetes ${version}`,
    kinds,
    $defs: Object.fromEntries(Object.entries($defs).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  });
}

/** A structural schema of a CRD names every field there is: others are refused, as the API server does with strict decoding. */
function strict(schema: Schema): Schema {
  if (schema['x-kubernetes-int-or-string'] === true) return { anyOf: [{ type: 'integer' }, { type: 'string' }] };
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true || 'additionalProperties' in schema;
  if (isOpen || !('properties' in schema) || schema['type'] !== 'object') return schema;
  return { ...schema, additionalProperties: false };
}

async function istio(moduleDir: string): Promise<void> {
  const text = await readFile(join(moduleDir, 'kubernetes', 'customresourcedefinitions.gen.yaml'), 'utf8');
  const kinds: Schema = {};
  for (const document of parseAllDocuments(text)) {
    const crd = document.toJS() as {
      spec?: {
        group: string;
        names: { kind: string };
        versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
      };
    };
    for (const { name, schema } of crd?.spec?.versions ?? []) {
      const { group, names } = crd.spec!;
      if (!ISTIO_KINDS.includes(`${names.kind} ${name}`)) continue;
      const body = trimmed(schema.openAPIV3Schema, strict) as { properties: Schema };
      kinds[`${group}/${name} ${names.kind}`] = {
        ...body,
        properties: {
          apiVersion: { enum: [`${group}/${name}`] },
          kind: { enum: [names.kind] },
          metadata: { $ref: 'objectmeta' },
          ...body.properties,
        },
        required: ['apiVersion', 'kind', 'metadata', 'spec'],
        additionalProperties: false,
      };
    }
  }
  const found = Object.keys(kinds).length;
  if (found !== ISTIO_KINDS.length) throw new Error(`expected ${ISTIO_KINDS.length} kinds of Istio, found ${found}`);
  await write(`istio-${ISTIO}`, {
    source: `istio.io/api v${ISTIO} (Go module, Apache-2.0), kubernetes/customresourcedefinitions.gen.yaml`,
    kinds,
  });
}

/** One line a kind and a definition: small, and a change of version shows in a diff. */
async function write(name: string, content: { source: string; kinds: Schema; $defs?: Schema }): Promise<void> {
  const table = (entries: Schema): string =>
    `{\n${Object.entries(entries)
      .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(',\n')}\n}`;
  const parts = [`"source": ${JSON.stringify(content.source)}`, `"kinds": ${table(content.kinds)}`];
  if (content.$defs !== undefined) parts.push(`"$defs": ${table(content.$defs)}`);
  await writeFile(join(OUT, `${name}.json`), `{\n${parts.join(',\n')}\n}\n`);
}

const [wheelDir, moduleDir] = process.argv.slice(2);
if (wheelDir === undefined || moduleDir === undefined) {
  process.stderr.write('usage: node tools/k8s/vendor-schemas.ts WHEEL_DIR MODULE_DIR\n');
  process.exitCode = 2;
} else {
  for (const version of KUBERNETES) await kubernetes(wheelDir, version);
  await istio(moduleDir);
}
