/** The committed schemas refuse what an API server with strict decoding would. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Manifest } from '../../tools/k8s/objects.ts';
import { meshConfigFaults, schemaFaults } from '../../tools/k8s/schemas.ts';
import { ROOT } from '../support/process.ts';
import { goodObjects, spoilt } from './good.ts';

const BOTH = ['kubernetes-1.34', 'kubernetes-1.37'];
const ISTIO = ['istio-1.31.4'];

/** The good set, and an object of Istio's. */
function objects(): Manifest[] {
  const patch = { applyTo: 'CLUSTER', patch: { operation: 'MERGE', value: { anything: 1 } } };
  const filter = {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: 'a', namespace: 'b' },
    spec: { configPatches: [patch] },
  };
  return [...goodObjects(), filter as Manifest];
}

type Row = readonly [what: string, path: string, value: unknown, said: RegExp, schemas: readonly string[]];

const ROWS: readonly Row[] = [
  ['an unknown field', 'set/spec/replica', 1, /\/spec: .*`replica`/, BOTH],
  ['one far below', 'box/readinessProbe/httpget', {}, /`httpget`/, BOTH],
  ['a missing field', 'set/spec/selector', undefined, /'selector'/, BOTH],
  ['a wrong type', 'set/spec/replicas', '1', /\/spec\/replicas: must be integer/, BOTH],
  ['a number as label', 'Namespace/metadata/labels/n', 1, /\/metadata\/labels\/n/, BOTH],
  ['another version', 'Service/apiVersion', 'v2', /no schema for `v2 Service`/, BOTH],
  ['an unknown field of Istio', 'EnvoyFilter/spec/selector', {}, /\/spec: .*`selector`/, ISTIO],
  ['a value that is none', 'EnvoyFilter/spec/configPatches/0/applyTo', 'HTTP', /applyTo: must be equal/, ISTIO],
  ['metadata of an Istio object', 'EnvoyFilter/metadata/label', {}, /\/metadata: .*`label`/, ISTIO],
  ['another version of Istio', 'EnvoyFilter/apiVersion', 'networking.istio.io/v1', /no schema for/, ISTIO],
];

describe('schemas', () => {
  test('0 objects without a fault have none', () => {
    assert.deepEqual(schemaFaults(objects()), []);
  });

  for (const [index, [what, path, value, said, schemas]] of ROWS.entries()) {
    test(`${index + 1} ${what} is refused`, () => {
      const faults = schemaFaults(spoilt(objects(), path, value));
      assert.deepEqual([...new Set(faults.map(({ rule }) => rule))], schemas);
      assert.match(faults[0]!.text, said);
    });
  }

  test('mesh configuration: unknown fields, two providers in one, no name', () => {
    const service = { service: 'a', port: 1 };
    const of = (provider: object) =>
      meshConfigFaults({ extensionProviders: [provider] })
        .map(({ text }) => text)
        .join('\n');
    assert.equal(of({ name: 'a', envoyHttpAls: service }), '');
    assert.match(of({ name: 'a', envoyExtAuthzGrpc: { ...service, failopen: true } }), /`failopen`/);
    assert.match(of({ name: 'a', envoyHttpAls: service, envoyExtAuthzGrpc: service }), /exactly one/);
    assert.match(of({ envoyHttpAls: service }), /'name'/);
  });

  test('each names its source, with version and licence', async () => {
    const dir = join(ROOT, 'k8s', 'schemas');
    const names = (await readdir(dir)).filter((name) => name.endsWith('.json'));
    assert.equal(names.length, 4);
    for (const name of names) {
      const { source } = JSON.parse(await readFile(join(dir, name), 'utf8')) as { source: string };
      assert.match(source, /\d+\.\d+\.\d+ \(.*Apache-2\.0\)/, name);
    }
  });
});
