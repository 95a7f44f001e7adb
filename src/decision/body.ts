import { type BodyFacts, isFault, type Target } from '../dialects/dialect.ts';
import { dialect } from '../dialects/dialects.ts';
import { modelInPath } from '../policy/path-template.ts';
import type { Route } from '../policy/policy.ts';
import type { Call } from './call.ts';
import type { Fault } from './denial.ts';
import { splitTarget } from './route.ts';

/**
 * JSON in UTF-8, said or not, and nothing beside it: a provider that heeds another charset reads another body (`+ACI-` is a
 * quote in UTF-7), and behind a comma may stand another type.
 */
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*(?:charset=(?:utf-?8|"utf-?8")[ \t]*)?)?$/i;

/** The facts of a metered route's body, read by its dialect; undefined on routes that are not metered. */
export function bodyOf({ path, headers, body, partialBody }: Call, route: Route): BodyFacts | Fault | undefined {
  const spoken = dialect(route.dialect);
  if (!route.metered || spoken === undefined) return undefined;
  if (headers.get('content-encoding').some((value) => value !== 'identity')) {
    return { reason: 'content_encoding_unsupported', message: '`content-encoding` must be absent or `identity`' };
  }
  const type = headers.get('content-type');
  if (type.length !== 1 || !JSON_TYPE.test(type[0]!)) {
    return { reason: 'content_type_unsupported', message: '`content-type` must be `application/json`, in UTF-8' };
  }
  if (partialBody) return { reason: 'body_partial', message: 'the body was cut by the proxy' };
  if (body.length > route.bodyMaxBytes) {
    const message = `the body may have ${route.bodyMaxBytes} bytes, it has ${body.length}`;
    return { reason: 'body_too_large', message };
  }
  const facts = spoken.read(body, targetOf(path, route));
  if (!isFault(facts) && facts.storedState !== undefined && route.storedState === 'refuse') return facts.storedState;
  if (!isFault(facts) && facts.stream && !facts.reportsUsage && route.streamUsage === 'require') {
    return { reason: 'stream_usage_required', message: usageWanted(facts, spoken.name) };
  }
  return facts;
}

/** The model that the path of a route without metering names; undefined: it names none, or the body's facts have it. */
export function namedOf({ path }: Call, route: Route): string | undefined {
  return route.metered ? undefined : targetOf(path, route)?.model;
}

/** How a stream is made to report what this route wants to know. */
function usageWanted({ usageEdit }: BodyFacts, dialectName: string): string {
  if (usageEdit !== undefined) return '`stream_options.include_usage` must be `true` on this route';
  if (dialectName === 'gemini') return 'a stream must be asked for with `alt=sse` on this route';
  return 'a stream of this API reports no usage that can be read, which this route wants';
}

/** Undefined: the route's API does not name models in the path. */
function targetOf(target: string, { template }: Route): Target | undefined {
  if (template === undefined) return undefined;
  const { path, query } = splitTarget(target);
  const model = modelInPath(template, path);
  if (model === undefined) throw new TypeError('a path of this route names the model');
  return { model, path, query };
}
