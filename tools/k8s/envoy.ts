/** Envoy's own word on every configuration in the manifests: those that pods mount, and those inside Istio's objects. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { Fault } from './faults.ts';
import { istioGateway, type MeshConfig } from './istio.ts';
import { layOut } from './lay-out.ts';
import { containersOf, type Manifest, nameOf, workloadsOf } from './objects.ts';

const run = promisify(execFile);

export interface EnvoyCheck {
  readonly objects: readonly Manifest[];
  /** Text of envoy/envoy.yaml, which an Istio gateway's configuration is lifted into. */
  readonly sample: string;
  /** The fragment of Istio's mesh configuration; undefined: there is none. */
  readonly meshConfig: MeshConfig | undefined;
  /** An Envoy of the version that the manifests name. */
  readonly bin: string;
  /** An empty directory. */
  readonly dir: string;
  /** Root of the repository, where the sample's relative paths begin. */
  readonly root: string;
}

/** Runs `envoy --mode validate` over each; a manifest without any is a fault. */
export async function envoyFaults(check: EnvoyCheck): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  let count = 0;
  for (const { manifest, pod } of workloadsOf(check.objects)) {
    for (const container of containersOf(pod)) {
      const path = container.args?.[container.args.indexOf('-c') + 1];
      if (container.command?.[0]?.endsWith('/envoy') !== true || path === undefined) continue;
      count += 1;
      const dir = join(check.dir, `pod-${count}`);
      await layOut({ objects: check.objects, pod, container }, dir);
      faults.push(...(await validate(check, join(dir, path), `${nameOf(manifest)}, ${container.name}`)));
    }
  }
  const filters = check.objects.filter(({ kind }) => kind === 'EnvoyFilter');
  if (filters.length > 0) {
    count += 1;
    faults.push(...(await istioFaults(check, filters)));
  }
  return count > 0 ? faults : [fault('-', 'neither a container of Envoy nor an EnvoyFilter')];
}

async function istioFaults(check: EnvoyCheck, filters: readonly Manifest[]): Promise<readonly Fault[]> {
  const at = filters.map(nameOf).join(', ');
  if (check.meshConfig === undefined) return [fault(at, 'there is no meshconfig.yaml beside the kustomization')];
  try {
    const bootstrap = istioGateway({ sample: check.sample, meshConfig: check.meshConfig, objects: check.objects });
    await mkdir(check.dir, { recursive: true });
    const path = join(check.dir, 'istio.yaml');
    await writeFile(path, stringify(bootstrap, { lineWidth: 0 }));
    return await validate(check, path, at);
  } catch (error) {
    return [fault(at, error instanceof Error ? error.message : String(error))];
  }
}

async function validate({ bin, root }: EnvoyCheck, path: string, at: string): Promise<readonly Fault[]> {
  try {
    await run(bin, ['--mode', 'validate', '-c', path, '--log-level', 'error'], { cwd: root, timeout: 60_000 });
    return [];
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    return [fault(at, said.trim().split('\n').slice(-3).join(' ').slice(0, 2000))];
  }
}

function fault(at: string, text: string): Fault {
  return { check: 'envoy', rule: '-', at, text };
}
