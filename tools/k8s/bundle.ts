/** The bundle and tollgate.yaml as the pod will find them, judged as `tollgate check` does. */
import { join } from 'node:path';
import { loadBundle } from '../../src/policy/bundle.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import type { Fault } from './faults.ts';
import { layOut } from './lay-out.ts';
import { containersOf, type Manifest, nameOf, workloadsOf } from './objects.ts';

/** `dir`: an empty directory for the pod's files. */
export async function bundleFaults(objects: readonly Manifest[], dir: string): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  let isFound = false;
  for (const { manifest, pod } of workloadsOf(objects)) {
    for (const container of containersOf(pod)) {
      const config = container.args?.[container.args.indexOf('--config') + 1];
      if (container.args?.[0] !== 'serve' || config === undefined) continue;
      isFound = true;
      await layOut({ objects, pod, container }, dir);
      const { problems } = await loadBundle(join(dir, config));
      for (const problem of problems)
        faults.push(fault(`${nameOf(manifest)}, ${container.name}`, formatProblem(problem)));
    }
  }
  if (!isFound) faults.push(fault('-', 'no container runs `serve --config DIR`'));
  return faults;
}

function fault(at: string, text: string): Fault {
  return { check: 'bundle', rule: '-', at, text };
}
