/** The files of a bundle, each held to its schema. What the compiler reads. */
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
 * Parses and validates all files, each problem reported. Undefined: a file is missing or so broken that nothing can be
 * said of the names in it; the others' own problems are reported all the same.
 */
export function readDocuments(files: readonly BundleFile[], problems: Problems): Documents | undefined {
  const of = (role: FileRole) => files.filter((each) => each.role === role);
  const read = <T>(file: BundleFile, schema: Parameters<typeof validate>[1]): Document<T> | undefined => {
    const source = parseSource(file.file, file.bytes, problems);
    if (source === undefined) return undefined;
    const data = validate(source, schema, problems);
    return data === undefined ? undefined : { source, data: data as T };
  };
  const one = <T>(role: FileRole, schema: Parameters<typeof validate>[1]) => {
    const [file] = of(role);
    return file === undefined ? undefined : read<T>(file, schema);
  };
  const access = one<AccessFile>('access', accessSchema);
  const plans = one<PlansFile>('plans', plansSchema);
  const traffic = one<TrafficFile>('traffic', trafficSchema);
  const models = one<ModelsFile>('models', modelsSchema);
  const accounts = of('accounts').map((file) => read<AccountsFile>(file, accountsSchema));
  const keys = of('keys').map((file) => read<KeysFile>(file, keysSchema));
  if (access === undefined || plans === undefined || traffic === undefined || models === undefined) return undefined;
  if (accounts.includes(undefined)) return undefined;
  return { access, plans, traffic, models, accounts: accounts.filter(isRead), keys: keys.filter(isRead) };
}

function isRead<T>(document: Document<T> | undefined): document is Document<T> {
  return document !== undefined;
}
