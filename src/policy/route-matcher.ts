import { mayShare, modelInPath } from './path-template.ts';
import type { Route } from './policy.ts';

/** Finds the route of a method and a path: one look-up for exact paths, then the few templates of the method in turn. */
export class RouteMatcher {
  readonly #exact = new Map<string, Map<string, Route>>();
  readonly #templates = new Map<string, Route[]>();

  /** Answers the route that may match the same call, if there is one: no call may have two. */
  add(route: Route): Route | undefined {
    const other = this.#rivalOf(route);
    if (route.template === undefined) {
      const byMethod = this.#exact.get(route.path) ?? new Map<string, Route>();
      this.#exact.set(route.path, byMethod.set(route.method, route));
    } else {
      this.#templates.set(route.method, [...(this.#templates.get(route.method) ?? []), route]);
    }
    return other;
  }

  find(method: string, path: string): Route | undefined {
    return this.#exact.get(path)?.get(method) ?? this.#templated(method, path);
  }

  #templated(method: string, path: string): Route | undefined {
    return this.#templates
      .get(method)
      ?.find(({ template }) => template !== undefined && modelInPath(template, path) !== undefined);
  }

  #rivalOf({ method, path, template }: Route): Route | undefined {
    if (template === undefined) return this.find(method, path);
    for (const byMethod of this.#exact.values()) {
      const other = byMethod.get(method);
      if (other !== undefined && modelInPath(template, other.path) !== undefined) return other;
    }
    return this.#templates
      .get(method)
      ?.find((other) => other.template !== undefined && mayShare(other.template, template));
  }
}
