import { type BodyFacts, isFault } from '../dialects/dialect.ts';
import { dialect } from '../dialects/dialects.ts';
import type { Route } from '../policy/policy.ts';
import type { Call } from './call.ts';
import type { Fault } from './denial.ts';

/**
 * JSON in UTF-8, said or not, and nothing beside it: a provider that heeds another charset reads another body (`+ACI-` is a
 * quote in UTF-7), and behind a comma may stand another type.
 */
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*(?:charset=(?:utf-?8|"utf-?8")[ \t]*)?)?$/i;

/** The facts of a metered route's body, read by its dialect; undefined on routes that are not metered. */
export function bodyOf({ headers, body, partialBody }: Call, route: Route): BodyFacts | Fault | undefined {
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
  const facts = spoken.read(body);
  if (!isFault(facts) && facts.stream && !facts.reportsUsage && route.streamUsage === 'require') {
    return { reason: 'stream_usage_required', message: '`stream_options.include_usage` must be `true` on this route' };
  }
  return facts;
}
