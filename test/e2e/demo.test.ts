import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { needEnvoy } from '../support/envoy.ts';
import { ROOT, spawnNode } from '../support/process.ts';

const need = await needEnvoy();

test('the demo shows every outcome, ends with the bill, leaves nothing running', need, async (t) => {
  const demo = spawnNode(t, ['tools/demo/main.ts', '--port', '0']);
  const { code } = await demo.ended;
  const text = demo.stdout();
  assert.equal(code, 0, demo.output());
  for (const shown of [
    /^ {2}support {3}gpt-5-mini stream {5}200 {2}allowed$/m,
    /^ {2}support {3}gpt-5 {17}200 {2}allowed, served by gpt-5-mini$/m,
    /^ {2}search {4}gpt-5-mini {12}429 {2}refused: limit `team-spend`/m,
    /^ {2}globex {4}gpt-5-mini {12}429 {2}refused: limit `key-burst` .*\[retry-after 1\]$/m,
    /^ {2}globex {4}gpt-5 {17}403 {2}refused: plan `starter` does not include model `gpt-5`$/m,
    /^ {2}stranger {2}gpt-5-mini {12}401 {2}refused: the credential is not valid$/m,
    /^acme\/support +claude-sonnet +output +2 +400 /m,
    /^total +\d+ /m,
  ]) {
    assert.match(text, shown);
  }
  const files = text
    .slice(text.indexOf('files of this run'), text.indexOf('ask why'))
    .split('\n')
    .slice(1)
    .filter((line) => line !== '');
  assert.equal(files.length, 4);
  for (const file of files) await access(join(ROOT, file.trim()));
  const [downgraded, refused] = explained(text);
  assert.match(String(downgraded), /^allowed, served by `gpt-5-mini`/);
  assert.match(String(downgraded), /gpt5-daily/);
  assert.match(String(refused), /budget_spent/);
  assert.match(String(refused), /team-spend/);
  const url = /Envoy on (http:\/\/\S+),/.exec(text)?.[1];
  await assert.rejects(fetch(String(url)), 'the gateway still answers');
});

test('a port in use: a message that says what to do, exit 1', need, async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const demo = spawnNode(t, ['tools/demo/main.ts', '--port', String(port)]);
  assert.equal((await demo.ended).code, 1);
  assert.match(demo.stderr(), new RegExp(`^demo: .*\`?(127\\.0\\.0\\.1:)?${port}\`?.*in use.* --port 0`, 'm'));
});

test('no Envoy and no Python to install it with: a message that says what to do, exit 1', async (t) => {
  const env = { PATH: '/nowhere', ENVOY_BIN: '', TOLLGATE_TOOLS_DIR: '/nowhere/tools' };
  const demo = spawnNode(t, ['tools/demo/main.ts', '--port', '0'], { env });
  assert.equal((await demo.ended).code, 1);
  assert.match(demo.stderr(), /^demo: .*[Pp]ython/m);
  assert.match(demo.stderr(), /ENVOY_BIN/);
});

test('wrong words: exit 2 and the help', async (t) => {
  const demo = spawnNode(t, ['tools/demo/main.ts', '--prot', '0']);
  assert.equal((await demo.ended).code, 2);
  assert.match(demo.stderr(), /npm run demo -- \[--keep\] \[--port N\]/);
});

/** What the commands say that the demo ends with, run as they stand there. */
function explained(text: string): readonly string[] {
  const commands = text
    .slice(text.indexOf('ask why'))
    .split('\n')
    .flatMap((line) => /^ {2}npm run -s tollgate -- (explain \S+ --config \S+) {3}#/.exec(line)?.[1] ?? []);
  assert.equal(commands.length, 2, text);
  return commands.map((command) =>
    execFileSync(process.execPath, ['src/cli/main.ts', ...command.split(' ')], { cwd: ROOT, encoding: 'utf8' }),
  );
}
