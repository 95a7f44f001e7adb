import { dialect } from '../dialects/dialects.ts';
import type { Policy, Route } from '../policy/policy.ts';
import type { Call } from './call.ts';
import type { Fault } from './denial.ts';

/** What Envoy's normalisation leaves: visible ASCII without escapes, backslashes, path parameters, or empty and dot segments. */
const CANONICAL = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,=:@-]*)+$/;

/** Finds the route. A path that matches is canonical because the policy's own is; any other is told apart only for its error. */
export function routeOf({ method, path: target, headers, routeName }: Call, policy: Policy): Route | Fault {
  if (method === 'CONNECT' || headers.get('upgrade').length > 0 || headers.get(':protocol').length > 0) {
    return { reason: 'upgrade_refused', message: 'upgrades and CONNECT are not served here' };
  }
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  const found = policy.route(method, path);
  if (found === undefined && (path.includes('//') || !CANONICAL.test(path))) {
    return { reason: 'path_not_canonical', message: 'the path is not in its canonical form' };
  }
  // Envoy's name of a route narrows, it never lets a path in that the policy does not list for that route.
  if (found === undefined || (routeName !== undefined && routeName !== found.name) || !isServed(found)) {
    return { reason: 'route_unknown', message: 'no route for this method and path' };
  }
  return found;
}

function isServed({ dialect: name, metered }: Route): boolean {
  return name === undefined ? !metered : dialect(name) !== undefined;
}
