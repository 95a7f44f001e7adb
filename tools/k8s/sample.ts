/** envoy/ as the manifests take it, and the parts of it that they look at. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Sample {
  /** envoy/envoy.yaml */
  readonly envoy: string;
  /** envoy/edit.lua */
  readonly lua: string;
}

export async function readSample(root: string): Promise<Sample> {
  const read = (name: string) => readFile(join(root, 'envoy', name), 'utf8');
  return { envoy: await read('envoy.yaml'), lua: await read('edit.lua') };
}

export type Json = { [key: string]: Json } | Json[] | string | number | boolean | null;
export type JsonMap = { [key: string]: Json };

/** Path of the first listener, and of its connection manager, in a bootstrap. */
export const GATEWAY: readonly (string | number)[] = ['static_resources', 'listeners', 0];
export const MANAGER = [...GATEWAY, 'filter_chains', 0, 'filters', 0, 'typed_config'];

/** The connection manager of a parsed sample. */
export function managerOf(root: JsonMap): JsonMap {
  let node: Json = root;
  for (const step of MANAGER) node = (node as JsonMap)[step as string]!;
  return node as JsonMap;
}

/** A copy without these keys. */
export function without(map: JsonMap, keys: readonly string[]): JsonMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}
