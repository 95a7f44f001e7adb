/** What the commands of tools/ say to a call that is off, and to one that asks for help. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spawnNode } from '../support/process.ts';

const STUB = /npm run -s stub -- \[--port N\]/;
const ENVOY = /\$\(npm run -s envoy\)/;

const ROWS: readonly [n: number, args: readonly string[], code: number, said: RegExp, why?: RegExp][] = [
  [1, ['tools/stub/main.ts', '--help'], 0, STUB],
  [2, ['tools/stub/main.ts', '--port', 'x'], 2, STUB, /^stub: `--port` must be 0 to 65535; got `x`$/m],
  [3, ['tools/stub/main.ts', '--port', '65536'], 2, STUB, /^stub: `--port` must be 0 to 65535; got `65536`$/m],
  [4, ['tools/stub/main.ts', '--frob'], 2, STUB, /^stub: Unknown option '--frob'/m],
  [5, ['tools/envoy/main.ts', '--help'], 0, ENVOY],
  [6, ['tools/envoy/main.ts', '--frob'], 2, ENVOY, /^envoy: Unknown option '--frob'/m],
];

for (const [n, args, code, said, why] of ROWS) {
  test(`tools ${n}: ${args.join(' ')}: exit ${code}`, async (t) => {
    const child = spawnNode(t, args);
    assert.equal((await child.ended).code, code);
    const [spoken, silent] = code === 0 ? [child.stdout(), child.stderr()] : [child.stderr(), child.stdout()];
    assert.match(spoken, said);
    if (why !== undefined) assert.match(spoken, why);
    assert.equal(silent, '');
  });
}
