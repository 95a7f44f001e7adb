/** Paths that name the model: one whole segment is `{model}`, or begins with it and goes on with a verb (`{model}:verb`). */
import type { DialectName } from './policy.ts';

/** The path is `prefix`, the model, `suffix`. */
export interface PathTemplate {
  readonly prefix: string;
  readonly suffix: string;
}

const SLOT = '{model}';

/**
 * A model as it may stand in a path: one segment, no escape but `%3A`, which SDKs of Bedrock write for the colon of its ids
 * and Envoy leaves as it is. What else would have to be escaped, a slash above all, cannot be named there.
 */
const SEGMENT = /^(?:[A-Za-z0-9._:@-]|%3[Aa]){1,384}$/;
const MODEL = /^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,128}$/;

/** Where the API of a dialect has the model in its path, the ends of the paths that are metered; other dialects: undefined. */
const ENDS: Readonly<Partial<Record<DialectName, readonly string[]>>> = {
  gemini: [':generateContent', ':streamGenerateContent'],
  'bedrock-converse': ['/converse', '/converse-stream'],
  'azure-openai': ['/chat/completions'],
};

/** Undefined: the path names no model. */
export function templateOf(path: string): PathTemplate | undefined {
  const at = path.indexOf(SLOT);
  return at === -1 ? undefined : { prefix: path.slice(0, at), suffix: path.slice(at + SLOT.length) };
}

/** The model that `path` names, `%3A` resolved; undefined: the path is not of this template. */
export function modelInPath({ prefix, suffix }: PathTemplate, path: string): string | undefined {
  if (path.length <= prefix.length + suffix.length || !path.startsWith(prefix) || !path.endsWith(suffix))
    return undefined;
  const segment = path.slice(prefix.length, path.length - suffix.length);
  if (!SEGMENT.test(segment)) return undefined;
  const model = segment.replaceAll(/%3A/gi, ':');
  return MODEL.test(model) ? model : undefined;
}

/** Whether a model can be named in a path. */
export function fitsPath(model: string): boolean {
  return MODEL.test(model);
}

/** The path that names `model`. One that cannot be named is a mistake of ours: TypeError. */
export function pathOf({ prefix, suffix }: PathTemplate, model: string): string {
  if (!fitsPath(model)) throw new TypeError('a model that is served by its path must fit into one segment of it');
  return prefix + model + suffix;
}

/** Whether one path may be of both templates. Says yes rather than no. */
export function mayShare(a: PathTemplate, b: PathTemplate): boolean {
  const slashes = ({ prefix, suffix }: PathTemplate): number => `${prefix}${suffix}`.split('/').length;
  if (slashes(a) !== slashes(b)) return false;
  const begins = a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
  return begins && (a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix));
}

/** What is wrong with the path of a metered route of this dialect; undefined: nothing. */
export function pathFault(dialect: DialectName, path: string): string | undefined {
  const ends = ENDS[dialect];
  const template = templateOf(path);
  if (ends === undefined) {
    return template && `dialect \`${dialect}\` has the model in the body: expected a path without \`{model}\``;
  }
  if (template !== undefined && ends.includes(template.suffix)) return undefined;
  return `dialect \`${dialect}\` has the model in the path: expected one that ends in \`${ends.map((end) => SLOT + end).join('` or `')}\``;
}

/** Whether the API of this dialect has the model in its path. */
export function namesModelInPath(dialect: string): boolean {
  return Object.hasOwn(ENDS, dialect);
}
