/** Python's json, asked over pipes: one interpreter for thousands of texts. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Scope } from '../support/scope.ts';

/** Reads bodies in base64, one a line, and flushes its answers at an empty line. `pick` as `pickOf` below. */
const PROGRAM = `
import base64, json, math, sys
def shown(value):
    if isinstance(value, (dict, list)): return [type(value).__name__]
    if isinstance(value, float) and not math.isfinite(value): return ['far']
    return value
paths = [path.split('.') for path in sys.argv[1:]]
def pick(raw):
    try:
        root = json.loads(raw.decode('utf-8'))
        if not isinstance(root, dict): return 'null'
        found = {}
        for path in paths:
            at = root
            for name in path[:-1]:
                at = at.get(name) if isinstance(at, dict) else None
            if isinstance(at, dict) and path[-1] in at: found['.'.join(path)] = shown(at[path[-1]])
        return json.dumps(found)
    except (ValueError, RecursionError):
        return 'null'
for line in sys.stdin.buffer:
    if line == b'\\n': sys.stdout.flush()
    else: sys.stdout.write(pick(base64.b64decode(line)) + '\\n')
`;

/** Values by path (`stream_options.include_usage`), where they nest or overflow what they are; null: no JSON object. */
export type Picked = Readonly<Record<string, unknown>> | null;

export interface Python {
  /** What json.loads makes of each body. */
  pick(bodies: readonly Buffer[]): Promise<Picked[]>;
}

/** Starts `python3` for the time of the scope. */
export function startPython(scope: Scope, paths: readonly string[]): Python {
  const child = spawn('python3', ['-c', PROGRAM, ...paths], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  scope.after(() => void child.kill());
  return {
    async pick(bodies) {
      child.stdin.write(`${bodies.map((body) => `${body.toString('base64')}\n`).join('')}\n`);
      const picked: Picked[] = [];
      while (picked.length < bodies.length) {
        const { value, done } = await lines.next();
        if (done === true) throw new Error('python3 ended early');
        picked.push(JSON.parse(value) as Picked);
      }
      return picked;
    },
  };
}

/** What JSON.parse makes of a body, which must be UTF-8 without a byte order mark. */
export function pickOf(body: Buffer, paths: readonly string[]): Picked {
  let root: unknown;
  try {
    root = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return null;
  }
  if (!isObject(root)) return null;
  const found: Record<string, unknown> = {};
  for (const path of paths) {
    const names = path.split('.');
    const last = names.pop()!;
    let at: unknown = root;
    for (const name of names) at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    if (isObject(at) && Object.hasOwn(at, last)) found[path] = shown(at[last]);
  }
  return found;
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return ['list'];
  if (isObject(value)) return ['dict'];
  return typeof value === 'number' && !Number.isFinite(value) ? ['far'] : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
