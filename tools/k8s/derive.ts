/** What the manifests take from envoy/: made from the sample, so that there is one gateway and not four. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { accessLogFilter, envoyFilters } from './envoy-filters.ts';
import type { Fault } from './faults.ts';
import { podGateway } from './pod-gateway.ts';
import { readSample, type Sample } from './sample.ts';

/** Texts of the derived files by their paths in the repository. */
export function derivedTexts(sample: Sample): ReadonlyMap<string, string> {
  return new Map([
    ['k8s/components/envoy/envoy.yaml', podGateway(sample.envoy)],
    ['k8s/components/envoy/edit.lua', sample.lua],
    ['k8s/overlays/istio/envoy-filters.yaml', envoyFilters(sample)],
    ['k8s/components/istio-access-log/envoy-filter.yaml', accessLogFilter(sample)],
  ]);
}

/** Derived files that are not what they would be made as now. */
export async function derivedFaults(root: string): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  for (const [path, text] of derivedTexts(await readSample(root))) {
    if ((await readFile(join(root, path), 'utf8').catch(() => '')) === text) continue;
    const remedy = 'differs from what envoy/ makes of it: `npm run k8s -- --write`, and look at the change';
    faults.push({ check: 'derived', rule: '-', at: path, text: remedy });
  }
  return faults;
}

/** Writes what differs; returns the paths written. */
export async function writeDerived(root: string): Promise<readonly string[]> {
  const stale = await derivedFaults(root);
  const texts = derivedTexts(await readSample(root));
  for (const { at } of stale) await writeFile(join(root, at), texts.get(at)!);
  return stale.map(({ at }) => at);
}
