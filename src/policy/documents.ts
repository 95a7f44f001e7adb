/** The files of a bundle, each held to its schema. What the compiler reads. */
import { createHash } from 'node:crypto';
import type * as z from 'zod';
import type { BundleFile, FileRole } from './directory.ts';
import type { Problems } from './problem.ts';
import {
  type AccessFile,
  type AccountsFile,
  accessSchema,
  accountsSchema,
  type KeysFile,
  keysSchema,
  type ModelsFile,
  modelsSchema,
  type PlansFile,
  plansSchema,
  type TrafficFile,
  trafficSchema,
} from './schema.ts';
import type { Source } from './source.ts';
import { validate } from './validate.ts';
import { parseSource } from './yaml.ts';

/** One file: its content, and where it stands. */
export interface Document<T> {
  readonly source: Source;
  readonly data: T;
}

export interface Documents {
  readonly access: Document<AccessFile>;
  readonly plans: Document<PlansFile>;
  readonly traffic: Document<TrafficFile>;
  readonly models: Document<ModelsFile>;
  readonly accounts: readonly Document<AccountsFile>[];
  readonly keys: readonly Document<KeysFile>[];
}

/**
 * Files that parsed without a problem, by name: a reload does not parse again what has not changed. Holds the files of
 * the last load only.
 */
export class ParsedFiles {
  #kept = new Map<string, { readonly hash: string; readonly document: Document<unknown> }>();
  #next = new Map<string, { readonly hash: string; readonly document: Document<unknown> }>();

  /** The document of `file` as it was parsed before, or as `parse` makes it now. */
  read(
    file: BundleFile,
    problems: Problems,
    parse: () => Document<unknown> | undefined,
  ): Document<unknown> | undefined {
    const hash = createHash('sha256').update(file.bytes).digest('hex');
    const kept = this.#kept.get(file.file);
    const errorsBefore = problems.errors;
    const document = kept?.hash === hash ? kept.document : parse();
    if (document !== undefined && problems.errors === errorsBefore) {
      // What another file's fault once took out of it may be sound again.
      document.source.dropped.clear();
      this.#next.set(file.file, { hash, document });
    }
    return document;
  }

  /** Ends a load: what it did not read is forgotten. */
  turn(): void {
    this.#kept = this.#next;
    this.#next = new Map();
  }
}

/**
 * Parses and validates all files, each problem reported. Undefined: a file is missing or so broken that nothing can be
 * said of the names in it; the others' own problems are reported all the same.
 */
export function readDocuments(
  files: readonly BundleFile[],
  problems: Problems,
  parsed = new ParsedFiles(),
): Documents | undefined {
  const of = (role: FileRole) => files.filter((each) => each.role === role);
  const read = <T>(file: BundleFile, schema: z.ZodType<T>): Document<T> | undefined =>
    parsed.read(file, problems, () => parseDocument(file, schema, problems)) as Document<T> | undefined;
  const one = <T>(role: FileRole, schema: z.ZodType<T>): Document<T> | undefined => {
    const [file, second] = of(role);
    return file === undefined || second !== undefined ? undefined : read(file, schema);
  };
  const access = one('access', accessSchema);
  const plans = one('plans', plansSchema);
  const traffic = one('traffic', trafficSchema);
  const models = one('models', modelsSchema);
  const accounts = of('accounts').map((file) => read(file, accountsSchema));
  const keys = of('keys').map((file) => read(file, keysSchema));
  parsed.turn();
  if (access === undefined || plans === undefined || traffic === undefined || models === undefined) return undefined;
  if (accounts.includes(undefined)) return undefined;
  return { access, plans, traffic, models, accounts: accounts.filter(isRead), keys: keys.filter(isRead) };
}

function parseDocument<T>(file: BundleFile, schema: z.ZodType<T>, problems: Problems): Document<T> | undefined {
  const source = parseSource(file.file, file.bytes, problems);
  const data = source === undefined ? undefined : validate(source, schema, problems);
  return source === undefined || data === undefined ? undefined : { source, data };
}

function isRead<T>(document: Document<T> | undefined): document is Document<T> {
  return document !== undefined;
}
