/** One overlay: rendered by kustomize, and everything that can be held against it without a cluster. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { bundleFaults } from './bundle.ts';
import { envoyFaults } from './envoy.ts';
import type { Fault } from './faults.ts';
import type { Kustomize } from './find.ts';
import type { MeshConfig } from './istio.ts';
import { type Manifest, parseManifests, render } from './objects.ts';
import { ruleFaults } from './rules.ts';
import { readSample } from './sample.ts';
import { meshConfigFaults, schemaFaults } from './schemas.ts';

export const OVERLAYS = ['sidecar', 'daemonset', 'istio'] as const;
export type OverlayName = (typeof OVERLAYS)[number];

export interface OverlayOptions {
  /** Root of the repository. */
  readonly root: string;
  /** A kustomization: one of the repository's overlays, or one of the reader's that stands on them. */
  readonly dir: string;
  readonly kustomize: Kustomize;
  /** An Envoy. */
  readonly envoy: string;
  /** An empty directory, for what is laid out. */
  readonly work: string;
}

export interface OverlayResult {
  readonly objects: readonly Manifest[];
  readonly faults: readonly Fault[];
}

/** Throws K8sError where it cannot be rendered. */
export async function checkOverlay({ root, dir, kustomize, envoy, work }: OverlayOptions): Promise<OverlayResult> {
  const objects = parseManifests(await render(dir, kustomize));
  const meshConfig = await readMeshConfig(dir);
  const { envoy: sample } = await readSample(root);
  const lifted = { objects, sample, meshConfig, bin: envoy, dir: join(work, 'envoy'), root };
  const faults = [
    ...schemaFaults(objects),
    ...(meshConfig === undefined ? [] : meshConfigFaults(meshConfig)),
    ...ruleFaults(objects),
    ...(await bundleFaults(objects, join(work, 'bundle'))),
    ...(await envoyFaults(lifted)),
  ];
  return { objects, faults };
}

/** The fragment beside an overlay that has one. */
export async function readMeshConfig(dir: string): Promise<MeshConfig | undefined> {
  try {
    return parse(await readFile(join(dir, 'meshconfig.yaml'), 'utf8')) as MeshConfig;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
