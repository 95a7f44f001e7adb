import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { METRIC_HELP } from '../../src/telemetry/metric-help.ts';
import {
  ATTRIBUTE,
  EVENT,
  METRICS,
  type MetricKey,
  type MetricSpec,
  prometheusName,
} from '../../src/telemetry/names.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/telemetry.md'), 'utf8');

test('no name of a metric, attribute or event stands in any other file of the product', () => {
  const names = [
    ...Object.values(METRICS).map(({ name }) => name),
    ...Object.values(ATTRIBUTE),
    // Envoy's namespaces are called alike.
    ...Object.values(EVENT).filter((name) => name !== 'tollgate.usage'),
  ];
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  assert.ok(files.length > 100);
  for (const file of files.filter((each) => each !== relative('src', 'src/telemetry/names.ts'))) {
    const text = readFileSync(join(ROOT, 'src', file), 'utf8');
    for (const name of names) {
      const quoted = new RegExp(`['"\`]${name.replaceAll('.', '\\.')}['"\`]`);
      // The key of a context extension.
      if (name === 'tollgate.route' && file === 'envoy/wire/check-request.ts') continue;
      assert.ok(!quoted.test(text), `\`${name}\` stands in ${file}`);
    }
  }
});

test('names are there once', () => {
  for (const names of [Object.values(METRICS).map(({ name }) => name), Object.values<string>(ATTRIBUTE)]) {
    assert.equal(new Set(names).size, names.length);
  }
});

test('the page lists every metric with its name in Prometheus, its labels, and what it says', () => {
  const rows = PAGE.split('\n').filter(
    (line) => line.startsWith('| `tollgate_') || /^\| `(?:gen_ai|nodejs)_/.test(line),
  );
  const expected = Object.entries<MetricSpec>(METRICS).map(([key, spec]) => {
    const labels = spec.labels.map((label) => `\`${label.replaceAll('.', '_')}\``).join(', ');
    return `| \`${prometheusName(spec)}\` | ${spec.kind} | ${labels} | ${METRIC_HELP[key as MetricKey]} |`;
  });
  assert.deepEqual(rows, expected);
});
