/**
 * Holds the shape of the house: which room of src/ may import which, no cycles, no file that grew past its noun, one place
 * that reads the clock, no transport in the rooms that decide. Run by `npm run lint`; prints every fault, exits 1 if there is one.
 */
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** A fault, `file:line: text`. */
export type Fault = string;

/**
 * Room → rooms whose files it may import; `type FILE` is one file of another room, for its types only. `core` and
 * telemetry's names are open to all. Rooms not listed may not exist.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  redis: [],
  policy: [],
  telemetry: [],
  dialects: [],
  ledger: [],
  identity: ['policy', 'redis'],
  limits: ['policy', 'redis'],
  entitlement: ['policy', 'dialects'],
  decision: ['policy', 'identity', 'entitlement', 'limits', 'dialects', 'ledger'],
  metering: ['policy', 'limits', 'dialects', 'ledger'],
  // A decision that allows carries its hold, which goes into the metadata that Envoy keeps.
  envoy: ['policy', 'decision', 'identity', 'dialects', 'metering', 'limits', 'type src/ledger/hold.ts'],
  admin: [],
  app: ['*'],
  cli: ['*'],
};

/** What a decision is made of knows no gRPC, protobuf, YAML or HTTP. */
const NO_TRANSPORT_ROOMS = new Set(['core', 'entitlement', 'decision', 'dialects']);
const TRANSPORTS = [
  /^@grpc\//,
  /^protobufjs/,
  /^yaml$/,
  /^node:(http|https|http2|net|tls|dgram)$/,
  /^hono/,
  /^ioredis$/,
];

const LINES_MAX = 300;
/** A test is mostly its table, and rows are not harder to read for being many. */
const TEST_LINES_MAX = 500;

/** Where the wall clock may be read: the clock itself, the composition root, and commands that run once and end. */
const CLOCK_FILES = [/^src\/core\/clock\.ts$/, /^src\/app\.ts$/, /^src\/app\//, /^src\/cli\//];
const CLOCK_READS = /\bDate\.now\(|\bnew Date\(\)|\bTemporal\.Now\b/;

interface Import {
  readonly line: number;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Everything that is wrong with `files` (path with `/`, relative to the repository → text). Pure. */
export function judge(files: ReadonlyMap<string, string>, dependencies: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, text] of files) {
    faults.push(...judgeLength(file, text));
    if (!file.startsWith('src/')) continue;
    faults.push(...judgeClock(file, text));
    const targets: string[] = [];
    for (const found of importsOf(text)) {
      const target = resolve(file, found.specifier);
      const fault =
        target === undefined
          ? judgePackage(file, found.specifier, dependencies)
          : files.has(target)
            ? judgeArrow(file, target, found.typeOnly)
            : `\`${target}\` does not exist`;
      if (fault !== undefined) faults.push(`${file}:${found.line}: ${fault}`);
      if (target !== undefined && !found.typeOnly) targets.push(target);
    }
    graph.set(file, targets);
  }
  return [...faults, ...cyclesOf(graph)];
}

/** Imports and re-exports of a formatted source file, dynamic ones included. */
export function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s+)?(?:[^;'"]*?\bfrom\s+)?['"]([^'"]+)['"]/gm;
  const dynamic = /\bimport\(\s*['"]([^'"]+)['"]/g;
  for (const match of text.matchAll(statement)) {
    found.push({ line: lineAt(text, match.index), specifier: match[2]!, typeOnly: isTypeOnly(match[0]) });
  }
  for (const match of text.matchAll(dynamic)) {
    found.push({ line: lineAt(text, match.index), specifier: match[1]!, typeOnly: false });
  }
  return found;
}

/** `import type …`, or braces in which every name is a type: neither is there when the code runs. */
function isTypeOnly(statement: string): boolean {
  if (/^(?:import|export)\s+type\s/.test(statement)) return true;
  const names = /^(?:import|export)\s+\{([^}]*)\}\s*from/.exec(statement)?.[1]?.split(',');
  return names?.every((name) => name.trim() === '' || /^type\s/.test(name.trim())) ?? false;
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function resolve(file: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : undefined;
}

/** `src/limits/store.ts` is in `limits`, `src/app.ts` in `app`; undefined: outside src/. */
function roomOf(file: string): string | undefined {
  const match = /^src\/(?:([^/]+)\/|([^/]+)\.ts$)/.exec(file);
  return match?.[1] ?? match?.[2];
}

function judgeArrow(file: string, target: string, typeOnly: boolean): string | undefined {
  const from = roomOf(file)!;
  const to = roomOf(target);
  if (to === undefined) return `\`${target}\` lies outside src`;
  const allowed = ARROWS[from];
  if (allowed === undefined) return `room \`${from}\` is not in tools/arrows.ts`;
  if (from === to || to === 'core' || target === 'src/telemetry/names.ts') return undefined;
  if (to === 'cli') return `nothing imports \`cli\``;
  if (allowed.includes('*') || allowed.includes(to)) return undefined;
  if (typeOnly && allowed.includes(`type ${target}`)) return undefined;
  return `\`${from}\` may not import \`${to}\``;
}

function judgePackage(file: string, specifier: string, dependencies: ReadonlySet<string>): string | undefined {
  const room = roomOf(file)!;
  if (NO_TRANSPORT_ROOMS.has(room) && TRANSPORTS.some((transport) => transport.test(specifier))) {
    return `\`${room}\` may not know \`${specifier}\``;
  }
  if (specifier.startsWith('node:')) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return dependencies.has(name) ? undefined : `\`${name}\` is not a dependency of the published package`;
}

function judgeLength(file: string, text: string): Fault[] {
  const lines = text.split('\n').length - 1;
  const linesMax = file.startsWith('test/') ? TEST_LINES_MAX : LINES_MAX;
  return lines <= linesMax ? [] : [`${file}:${linesMax}: ${lines} lines, at most ${linesMax}`];
}

function judgeClock(file: string, text: string): Fault[] {
  if (CLOCK_FILES.some((allowed) => allowed.test(file))) return [];
  return text.split('\n').flatMap((line, index) => {
    const code = /^\s*(?:\*|\/\*)/.test(line) ? '' : line.replace(/\/\/.*$/, '');
    return CLOCK_READS.test(code) ? [`${file}:${index + 1}: time is an argument here; only the clock reads it`] : [];
  });
}

/** Every cycle of files once, by depth-first search; each is printed from its first file in alphabetical order. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): Fault[] {
  const done = new Set<string>();
  const cycles = new Set<Fault>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.add(describeCycle(path.slice(start)));
      return;
    }
    if (done.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of [...graph.keys()].sort()) visit(file, []);
  return [...cycles];
}

function describeCycle(cycle: readonly string[]): Fault {
  const first = [...cycle].sort()[0]!;
  const at = cycle.indexOf(first);
  const turned = [...cycle.slice(at), ...cycle.slice(0, at), first];
  return `${first}:1: imports go in a circle: ${turned.join(' → ')}`;
}

function main(): void {
  const root = join(import.meta.dirname, '..');
  const paths = globSync('{src,test,tools,bench}/**/*.ts', { cwd: root }).map((path) => path.replaceAll('\\', '/'));
  const files = new Map(paths.sort().map((path) => [path, readFileSync(join(root, path), 'utf8')]));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object };
  const faults = judge(files, new Set(Object.keys(manifest.dependencies)));
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) {
    process.stderr.write(`${faults.length} faults in the shape of the house\n`);
    process.exitCode = 1;
  }
}

if (import.meta.main) main();
