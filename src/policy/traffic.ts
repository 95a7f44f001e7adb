/** traffic.yaml: routes, classes, runs, bursts and concurrency. */
import { DAY_MS } from '../core/day.ts';
import type { Enforce } from '../core/units.ts';
import type { Document } from './documents.ts';
import { weakest } from './enforce.ts';
import { compileLimits, type LimitContext } from './limits.ts';
import { type Known, referAll } from './names.ts';
import { pathFault, templateOf } from './path-template.ts';
import type { Limit, Policy, Route } from './policy.ts';
import { type Problems, show } from './problem.ts';
import { parseDuration, parseSize } from './quantity.ts';
import { RouteMatcher } from './route-matcher.ts';
import type { TrafficFile } from './schema.ts';

const CLASSES = ['interactive', 'agentic', 'batch'] as const;
const BODY_BYTES = 4 * 1024 * 1024;
/** Largest `body_max`: Envoy holds the body until we answer. */
export const BODY_BYTES_MAX = 32 * 1024 * 1024;
const LASTS_MS = 15 * 60_000;
/** Calls that are not metered are short ones. */
const UNMETERED_LASTS_MS = 60_000;
const LASTS_MS_MAX = 24 * 3_600_000;
const IDLE_MS = 3_600_000;
const IDLE_MS_MAX = 7 * DAY_MS;

export interface CompiledTraffic {
  readonly routes: ReadonlyMap<string, Route>;
  readonly classes: readonly string[];
  readonly runs: Policy['runs'];
  readonly knownRoutes: Known;
  readonly knownClasses: Known;
  route(method: string, path: string): Route | undefined;
}

export function compileTraffic({ source, data }: Document<TrafficFile>, problems: Problems): CompiledTraffic {
  const routes = new Map<string, Route>();
  const matcher = new RouteMatcher();
  for (const [name, entry] of Object.entries(data.routes)) {
    const route = compileRoute(name, entry, { source, data }, problems);
    routes.set(name, route);
    const other = matcher.add(route);
    if (other !== undefined) {
      const text = `route \`${other.name}\` already matches ${route.method} \`${route.path}\``;
      problems.report('route-duplicate', source.at(['routes', name, 'match']), { text });
    }
  }
  const classes = Object.freeze([...(data.classes ?? CLASSES)]);
  for (const [index, name] of classes.entries()) {
    if (classes.indexOf(name) === index) continue;
    problems.report('name-duplicate', source.at(['classes', index]), { text: `class \`${name}\` stands above` });
  }
  const known = (what: string, names: Known['names']): Known => ({
    what,
    names,
    broken: source.dropped,
    file: source.file,
  });
  const knownClasses = known('a class', new Set(classes));
  return {
    routes,
    classes,
    runs: compileRuns({ source, data }, knownClasses, problems),
    knownRoutes: known('a route', routes),
    knownClasses,
    route: (method, path) => matcher.find(method, path),
  };
}

/** Limits of traffic.yaml; each customer owns counters of its own. */
export function compileTrafficLimits(
  { source, data }: Document<TrafficFile>,
  context: LimitContext & { readonly enforce: Enforce },
): readonly Limit[] {
  const within = [data.enforce, context.enforce];
  return compileLimits(data.limits ?? [], { source, path: ['limits'], within, traffic: true }, context);
}

function compileRoute(
  name: string,
  entry: TrafficFile['routes'][string],
  { source, data }: Document<TrafficFile>,
  problems: Problems,
): Route {
  const path = ['routes', name];
  const metered = entry.metered ?? true;
  if (metered && entry.dialect === undefined) {
    const text = `missing key \`dialect\`: a route has one, unless it says \`metered: false\``;
    problems.report('route-dialect', source.at(path, 'key'), { text });
  }
  const wrongPath = metered && entry.dialect !== undefined ? pathFault(entry.dialect, entry.match.path) : undefined;
  if (wrongPath !== undefined) {
    problems.report('route-dialect', source.at([...path, 'match', 'path']), { text: wrongPath });
  }
  if (entry.stored_state === 'refuse' && (!metered || entry.dialect !== 'openai-responses')) {
    const text =
      'no body of this route is read for stored state: `stored_state: refuse` is of metered routes of `openai-responses`';
    problems.report('route-dialect', source.at([...path, 'stored_state']), { text });
  }
  const bodyMaxBytes = entry.body_max === undefined ? BODY_BYTES : (parseSize(entry.body_max) ?? 0);
  if (bodyMaxBytes > BODY_BYTES_MAX) {
    problems.report('setting-range', source.at([...path, 'body_max']), {
      expected: 'at most `32MiB`',
      found: show(entry.body_max),
    });
  }
  const lastsDefaultMs = metered ? LASTS_MS : UNMETERED_LASTS_MS;
  const lastsMaxMs = entry.lasts_max === undefined ? lastsDefaultMs : (parseDuration(entry.lasts_max) ?? 0);
  if (lastsMaxMs < 1000 || lastsMaxMs > LASTS_MS_MAX) {
    problems.report('setting-range', source.at([...path, 'lasts_max']), {
      expected: 'from `1s` to `24h`',
      found: show(entry.lasts_max),
    });
  }
  return Object.freeze({
    name,
    method: entry.match.method,
    path: entry.match.path,
    template: templateOf(entry.match.path),
    dialect: entry.dialect,
    metered,
    bodyMaxBytes,
    lastsMaxMs,
    streamUsage: entry.stream_usage ?? 'add',
    storedState: entry.stored_state ?? 'allow',
    ledgerFull: entry.ledger_full ?? (metered ? 'refuse' : 'continue'),
    forwardCredential: entry.forward_credential ?? false,
    enforce: weakest([entry.enforce, data.enforce]),
  });
}

function compileRuns({ source, data }: Document<TrafficFile>, classes: Known, problems: Problems): Policy['runs'] {
  const at = { source, path: ['runs', 'required_for'], owned: true };
  const requiredFor = referAll(data.runs?.required_for, classes, at, problems) ?? new Set<string>();
  const idle = data.runs?.idle;
  const idleMs = idle === undefined ? IDLE_MS : (parseDuration(idle) ?? 0);
  if (idleMs < 1000 || idleMs > IDLE_MS_MAX) {
    problems.report('setting-range', source.at(['runs', 'idle']), { expected: 'from `1s` to `7d`', found: show(idle) });
  }
  return Object.freeze({ requiredFor, idleMs });
}
