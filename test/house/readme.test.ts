/** What README.md and the pages show is true: its commands run as they stand, and every linked file is there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../support/process.ts';

const run = promisify(execFile);

/** Blocks between fences of a page, from a heading to the next one. */
function blocksOf(page: string, heading: string): readonly string[] {
  const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `no section \`${heading}\``);
  return [...section.matchAll(/^ *```[a-z]*\n([\s\S]*?)^ *```$/gm)].map(([, block]) => block!);
}

/** What the commands need of the repository, in a directory of its own. */
async function repositoryCopy(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tollgate-readme-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  for (const part of ['package.json', 'src', 'protos', 'envoy'])
    await cp(join(ROOT, part), join(dir, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  return dir;
}

/** Runs lines in one shell, as somebody would who pastes them, and stops at the first that fails. */
async function shell(dir: string, lines: string): Promise<string> {
  const { stdout } = await run('sh', ['-ec', lines], { cwd: dir, timeout: 60_000 });
  return stdout;
}

test('README: the commands of "Use it" that end make a pepper, a key and a valid bundle; then those of start.md', async (t) => {
  const dir = await repositoryCopy(t);
  const [prepare, serve] = blocksOf(await readFile(join(ROOT, 'README.md'), 'utf8'), 'Use it');
  const out = await shell(dir, `${prepare}\nprintf 'key %s\\n' "$KEY"`);
  assert.match(out, /^0 errors, 0 warnings\nvalid: version [0-9a-f]{16}$/m);
  assert.match(out, /^key tg_prod_[a-z0-9]+_[0-9A-Za-z]{36}$/m);
  assert.deepEqual((await readdir(join(dir, '.tollgate/mine'))).toSorted(), ['audit.db', 'bundle', 'pepper-v1']);
  assert.match(serve!, /serve --config \.tollgate\/mine\/bundle /);

  const [accounts, rule, key, check] = blocksOf(await readFile(join(ROOT, 'docs/start.md'), 'utf8'), 'In this order');
  const bundle = join(dir, '.tollgate/mine/bundle');
  await writeFile(join(bundle, 'accounts/initech.yaml'), accounts!.replace(/^ {3}/gm, ''));
  const access = await readFile(join(bundle, 'access.yaml'), 'utf8');
  await writeFile(join(bundle, 'access.yaml'), access + rule!.replace(/^ {3}/gm, ''));
  const second = await shell(dir, `${key}${check}printf 'key %s\\n' "$KEY"`);
  assert.match(second, /^0 errors, 0 warnings\nvalid: version [0-9a-f]{16}$/m);
  assert.match(second, /^key tg_prod_/m);
});

test('every file that a page links to is there, with the heading that is named', async () => {
  const pages = [
    'README.md',
    'SECURITY.md',
    'CHANGELOG.md',
    'ARCHITECTURE.md',
    'envoy/README.md',
    'test/README.md',
    'bench/README.md',
  ];
  const docs = await readdir(join(ROOT, 'docs'), { recursive: true });
  pages.push(...docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`));
  const missing: string[] = [];
  for (const page of pages) {
    for (const [, target, anchor] of (await readFile(join(ROOT, page), 'utf8')).matchAll(LINK)) {
      const file = target === '' ? join(ROOT, page) : join(ROOT, dirname(page), target!);
      if (!(await isThere(file, anchor))) missing.push(`${page}: ${target}#${anchor ?? ''}`);
    }
  }
  assert.deepEqual(missing, []);
});

/** Links within the repository, as `[text](file#heading)`. */
const LINK = /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g;

async function isThere(file: string, anchor: string | undefined): Promise<boolean> {
  try {
    if (anchor === undefined) return (await readdir(dirname(file))).includes(file.slice(dirname(file).length + 1));
    const headings = [...(await readFile(file, 'utf8')).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!);
    return headings.some((heading) => slug(heading) === anchor);
  } catch {
    return false;
  }
}

/** A heading's anchor, as forges make it. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
}
