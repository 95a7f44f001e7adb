/** The trimmed protos of this repository, and the fuller copies of a devDependency, as protobufjs trees. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
// Loading it teaches its protobufjs the descriptors that options extend.
import '@grpc/proto-loader';
import type * as protobufjs from 'protobufjs';

const require = createRequire(import.meta.url);
/** The one that @grpc/proto-loader uses: its built-in Struct is camel case, whatever `keepCase` says. */
const protobuf: typeof protobufjs = createRequire(require.resolve('@grpc/proto-loader'))('protobufjs');

export const PROTOS = join(import.meta.dirname, '../../protos');
const XDS = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');

export const FILES = [
  'envoy/service/auth/v3/external_auth.proto',
  'envoy/service/ratelimit/v3/rls.proto',
  'envoy/service/accesslog/v3/als.proto',
];

export const ours = load([PROTOS], [...FILES, 'grpc/health/v1/health.proto']);

/** Older than ours, but not trimmed. */
export const theirs = (): protobufjs.Root =>
  load(
    ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => join(XDS, name)),
    FILES,
  );

function load(directories: readonly string[], files: readonly string[]): protobufjs.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    if (protobuf.common.get(target) !== null) return target;
    const found = directories.map((directory) => join(directory, target)).find((path) => existsSync(path));
    return found ?? null;
  };
  root.loadSync([...files], { keepCase: true });
  root.resolveAll();
  return root;
}

export const message = (name: string): protobufjs.Type => ours.lookupType(name);

/** Encodes an object by its proto. 64-bit integers may be decimal strings. */
export function encode(name: string, value: Record<string, unknown>): Buffer {
  const type = message(name);
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}

/** Decodes into a plain object: absent fields are absent, enums are numbers, 64-bit integers are strings. */
export function decode(name: string, bytes: Uint8Array): Record<string, unknown> {
  const type = message(name);
  return type.toObject(type.decode(bytes), { longs: String, bytes: Buffer, oneofs: false }) as Record<string, unknown>;
}

/** A Struct of strings, as protobufjs wants it. */
export function struct(pairs: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { fields: Object.fromEntries(Object.entries(pairs).map(([key, value]) => [key, valueFrom(value)])) };
}

function valueFrom(value: unknown): Record<string, unknown> {
  if (value === null) return { nullValue: 0 };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(valueFrom) } };
  return { structValue: struct(value as Record<string, unknown>) };
}

export type { protobufjs };
export { protobuf };
