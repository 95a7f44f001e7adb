import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { importsOf, judge } from '../../tools/arrows.ts';

const LONG = 'x;\n'.repeat(301);
const LONG_TABLE = 'x;\n'.repeat(501);

/** Each row: files, and what is found. A file that a row only needs to exist is empty. */
const ROWS: { name: string; files: Record<string, string>; faults: RegExp[] }[] = [
  {
    name: '1 every room may import core',
    files: { 'src/dialects/a.ts': "import { x } from '../core/x.ts';\n", 'src/core/x.ts': '' },
    faults: [],
  },
  {
    name: '2 core imports nothing of ours',
    files: { 'src/core/a.ts': "import { x } from '../policy/x.ts';\n", 'src/policy/x.ts': '' },
    faults: [/^src\/core\/a\.ts:1: `core` may not import `policy`$/],
  },
  {
    name: '3 a type is an arrow too',
    files: { 'src/limits/a.ts': "\nimport type { X } from '../decision/x.ts';\n", 'src/decision/x.ts': '' },
    faults: [/^src\/limits\/a\.ts:2: `limits` may not import `decision`$/],
  },
  {
    name: '4 telemetry lends its names, not its logger',
    files: {
      'src/ledger/a.ts': "import { N } from '../telemetry/names.ts';\nimport { L } from '../telemetry/log.ts';\n",
      'src/telemetry/names.ts': '',
      'src/telemetry/log.ts': '',
    },
    faults: [/^src\/ledger\/a\.ts:2: `ledger` may not import `telemetry`$/],
  },
  {
    name: '5 app imports everything, cli app, and nothing cli',
    files: {
      'src/app.ts': "import { x } from './envoy/x.ts';\nimport { m } from './cli/main.ts';\n",
      'src/cli/main.ts': "import { app } from '../app.ts';\n",
      'src/envoy/x.ts': '',
    },
    faults: [/^src\/app\.ts:2: nothing imports `cli`$/, /circle: src\/app\.ts → src\/cli\/main\.ts → src\/app\.ts$/],
  },
  {
    name: '6 a multi-line import and a re-export count',
    files: {
      'src/policy/a.ts': "import {\n  x,\n  y,\n} from '../limits/x.ts';\nexport { z } from '../limits/x.ts';\n",
      'src/limits/x.ts': '',
    },
    faults: [/a\.ts:1: `policy` may not/, /a\.ts:5: `policy` may not/],
  },
  {
    name: '7 a dynamic import counts',
    files: { 'src/core/a.ts': "const x = await import('../cli/x.ts');\n", 'src/cli/x.ts': '' },
    faults: [/a\.ts:1: nothing imports `cli`/],
  },
  {
    name: '8 a circle of values, printed once',
    files: {
      'src/core/a.ts': "import { b } from './b.ts';\n",
      'src/core/b.ts': "import { c } from './c.ts';\n",
      'src/core/c.ts': "import { a } from './a.ts';\n",
    },
    faults: [/^src\/core\/a\.ts:1: imports go in a circle: \S+a\.ts → \S+b\.ts → \S+c\.ts → \S+a\.ts$/],
  },
  {
    name: '9 a circle that a type closes is none when the code runs',
    files: {
      'src/core/a.ts': "import { b } from './b.ts';\n",
      'src/core/b.ts': "import { type A } from './a.ts';\n",
    },
    faults: [],
  },
  {
    name: '10 a long file needs a reason',
    files: {
      'src/core/a.ts': LONG,
      'tools/a.ts': LONG,
      'test/core/a.test.ts': LONG,
      'test/core/b.test.ts': LONG_TABLE,
    },
    faults: [/^src\/core\/a\.ts:300: 301 lines/, /^tools\/a\.ts:300/, /^test\/core\/b\.test\.ts:500: 501 lines/],
  },
  {
    name: '11 the clock is read in one place',
    files: {
      'src/core/clock.ts': 'Date.now();\n',
      'src/cli/a.ts': 'Date.now();\n',
      'src/limits/a.ts':
        '/** Date.now() is not read here. */\n// nor Date.now()\nconst x = Date.now();\nnew Date();\nnew Date(5);\n',
    },
    faults: [/^src\/limits\/a\.ts:3: time is an argument/, /^src\/limits\/a\.ts:4: time is an argument/],
  },
  {
    name: '12 rooms that decide know no transport',
    files: { 'src/decision/a.ts': "import { h } from 'node:http2';\nimport * as g from '@grpc/grpc-js';\n" },
    faults: [/`decision` may not know `node:http2`/, /`decision` may not know `@grpc\/grpc-js`/],
  },
  {
    name: '13 only what is published with the package',
    files: { 'src/envoy/a.ts': "import { h } from '@grpc/grpc-js';\nimport fc from 'fast-check';\n" },
    faults: [/a\.ts:2: `fast-check` is not a dependency/],
  },
  {
    name: '14 neither tests nor tools',
    files: { 'src/envoy/a.ts': "import { h } from '../../test/support/h.ts';\n", 'test/support/h.ts': '' },
    faults: [/`test\/support\/h\.ts` lies outside src/],
  },
  {
    name: '15 a room must be known',
    files: { 'src/attic/a.ts': "import { h } from '../core/h.ts';\n", 'src/core/h.ts': '' },
    faults: [/room `attic` is not in tools\/arrows\.ts/],
  },
  {
    name: '16 the type of one file, where that is all that is lent',
    files: {
      'src/envoy/a.ts':
        "import type { Hold } from '../ledger/hold.ts';\nimport { h } from '../ledger/hold.ts';\nimport type { L } from '../ledger/ledger.ts';\n",
      'src/ledger/hold.ts': '',
      'src/ledger/ledger.ts': '',
    },
    faults: [/a\.ts:2: `envoy` may not import `ledger`/, /a\.ts:3: `envoy` may not import `ledger`/],
  },
  {
    name: '17 a missing file',
    files: { 'src/core/a.ts': "import { h } from './h.ts';\n" },
    faults: [/`src\/core\/h\.ts` does not exist/],
  },
];

for (const { name, files, faults } of ROWS) {
  test(name, () => {
    const found = judge(new Map(Object.entries(files)), new Set(['@grpc/grpc-js']));
    assert.equal(found.length, faults.length, found.join('\n'));
    for (const [i, pattern] of faults.entries()) assert.match(found[i]!, pattern);
  });
}

test('imports are read as the formatter writes them', () => {
  const text = readFileSync(new URL('../../tools/arrows.ts', import.meta.url), 'utf8');
  assert.deepEqual(
    importsOf(text).map((found) => found.specifier),
    ['node:fs', 'node:path'],
  );
});
