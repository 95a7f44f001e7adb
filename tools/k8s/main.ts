/** `npm run k8s` renders each overlay of k8s/ and holds it against everything that can be asked without a cluster. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { alignedTable, printable } from '../../src/core/table.ts';
import { EnvoyError } from '../envoy/errors.ts';
import { findEnvoy } from '../envoy/find.ts';
import { derivedFaults, writeDerived } from './derive.ts';
import { K8sError } from './errors.ts';
import { CHECKS, type Fault } from './faults.ts';
import { findKustomize } from './find.ts';
import { checkOverlay, OVERLAYS } from './overlay.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const HELP = `npm run k8s -- [NAME | DIRECTORY …] [--json] [--write]

Renders kustomizations and checks every object: JSON schemas of Kubernetes and Istio, rules of good manifests, the bundle as
\`tollgate check\` does, Envoy's configurations with \`envoy --mode validate\`. Default: ${OVERLAYS.join(', ')}.

  NAME        an overlay of k8s/overlays
  DIRECTORY   a kustomization of your own (with a slash, or \`.\`)
  --json      the result as JSON on standard output
  --write     first make anew what k8s/ takes from envoy/

Takes kustomize from KUSTOMIZE_BIN, PATH (kustomize or kubectl), or a pinned kubectl that is installed into .tools/.

Example:
  npm run k8s -- sidecar ../deploy/tollgate

Exit codes: 0 all valid, 1 something is wrong or a tool is missing, 2 wrong usage
`;

interface Row {
  readonly overlay: string;
  readonly objects: number;
  readonly faults: readonly Fault[];
}

async function main(): Promise<number> {
  const words = readWords();
  if (typeof words === 'number') return words;
  try {
    if (words.write) for (const path of await writeDerived(ROOT)) say(`wrote ${path}`);
    const rows = await check(words.names);
    process.stdout.write(words.json ? `${JSON.stringify({ overlays: rows })}\n` : textOf(rows));
    return rows.some(({ faults }) => faults.length > 0) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof K8sError) && !(error instanceof EnvoyError)) throw error;
    say(error.message);
    return 1;
  }
}

interface Words {
  readonly names: readonly string[];
  readonly json: boolean;
  readonly write: boolean;
}

/** What was asked for, or the code to exit with. */
function readWords(): Words | number {
  try {
    const { values, positionals } = parseArgs({
      options: { json: { type: 'boolean' }, write: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const stray = positionals.find((word) => !isOverlay(word) && word !== '.' && !word.includes('/'));
    if (stray !== undefined)
      throw new TypeError(`expected one of \`${OVERLAYS.join('`, `')}\` or a directory, found \`${stray}\``);
    const names = positionals.length === 0 ? OVERLAYS : positionals;
    return { names, json: values.json === true, write: values.write === true };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`k8s: ${error.message}\n${HELP}`);
    return 2;
  }
}

async function check(names: readonly string[]): Promise<readonly Row[]> {
  const kustomize = await findKustomize();
  const envoy = await findEnvoy();
  const rows: Row[] = [];
  const work = await mkdtemp(join(tmpdir(), 'tollgate-k8s-'));
  try {
    for (const [index, name] of names.entries()) {
      say(`${index + 1}/${names.length} ${name}`);
      const dir = isOverlay(name) ? join(ROOT, 'k8s', 'overlays', name) : resolve(name);
      const { objects, faults } = await checkOverlay({
        root: ROOT,
        dir,
        kustomize,
        envoy,
        work: join(work, String(index)),
      });
      rows.push({ overlay: name, objects: objects.length, faults });
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const stale = await derivedFaults(ROOT);
  if (stale.length > 0) rows.push({ overlay: 'files made from envoy/', objects: stale.length, faults: stale });
  return rows;
}

function textOf(rows: readonly Row[]): string {
  const checks = CHECKS.filter((name) => name !== 'derived');
  const columns = [
    { name: 'overlay', kind: 'text' as const },
    { name: 'objects', kind: 'number' as const },
    ...checks.map((name) => ({ name, kind: 'text' as const })),
  ];
  const cells = rows
    .filter(({ overlay }) => !overlay.startsWith('files'))
    .map(({ overlay, objects, faults }) => [
      overlay,
      String(objects),
      ...checks.map((name) => wordOf(faults.filter(({ check: of }) => of === name).length)),
    ]);
  const lines = rows.flatMap(({ overlay, faults }) =>
    faults.map(({ check: of, rule, at, text }) => `${overlay}: ${of}${rule === '-' ? '' : ` ${rule}`}: ${at}: ${text}`),
  );
  return [alignedTable(columns, cells), ...lines.map((line) => `${printable(line)}\n`)].join('');
}

function wordOf(faults: number): string {
  return faults === 0 ? 'valid' : `${faults} wrong`;
}

function isOverlay(word: string): boolean {
  return OVERLAYS.some((name) => name === word);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

process.exitCode = await main();
