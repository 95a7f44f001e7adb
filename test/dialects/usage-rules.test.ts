import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { JSON_RULES, SSE_RULES, USAGE_NAMESPACE } from '../../src/dialects/usage-rules.ts';

interface EnvoyRule {
  readonly selectors: readonly { readonly key: string }[];
  readonly on_present: { readonly metadata_namespace: string; readonly key: string };
}

const config: unknown = parse(readFileSync(new URL('../../envoy/envoy.yaml', import.meta.url), 'utf8'));

/** Every value of members called `name`, at any depth. */
function membersOf(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [...(key === name ? [inner] : []), ...membersOf(inner, name)]);
}

function filterRules(filter: string): readonly unknown[] {
  const filters = membersOf(config, 'http_filters').flat() as { name: string }[];
  return membersOf(
    filters.filter(({ name }) => name === filter),
    'rules',
  ).flat();
}

function written(rules: readonly EnvoyRule[]): readonly string[] {
  return rules
    .map(({ selectors, on_present }) => {
      const path = selectors.map(({ key }) => key).join('.');
      return `${path} -> ${on_present.metadata_namespace} ${on_present.key}`;
    })
    .sort();
}

function promised(rules: readonly { selectors: readonly string[]; key: string }[]): readonly string[] {
  return rules.map(({ selectors, key }) => `${selectors.join('.')} -> ${USAGE_NAMESPACE} ${key}`).sort();
}

describe('the sample Envoy writes what the dialects read', () => {
  it('from JSON answers', () => {
    const rules = filterRules('envoy.filters.http.json_to_metadata') as EnvoyRule[];
    assert.deepEqual(written(rules), promised(JSON_RULES));
  });

  it('from streams', () => {
    const rules = filterRules('envoy.filters.http.sse_to_metadata') as { rule: EnvoyRule }[];
    assert.deepEqual(written(rules.map(({ rule }) => rule)), promised(SSE_RULES));
  });
});
