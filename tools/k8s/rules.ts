/** Rules about how objects fit together, and all rules over a rendered overlay. */
import type { Fault } from './faults.ts';
import { SECRETS } from './lay-out.ts';
import { containersOf, type Labels, type Manifest, matches, nameOf, type Workload, workloadsOf } from './objects.ts';
import { CONTAINER_RULES, POD_RULES } from './rules-pod.ts';

/** What is wrong of the object, or undefined. `all`: every object of the overlay. */
type ObjectRule = (object: Manifest, all: readonly Manifest[]) => string | undefined;

const OBJECT_RULES: Readonly<Record<string, ObjectRule>> = {
  'default-namespace': ({ kind, metadata: { namespace } }) => {
    if (kind === 'Namespace') return undefined;
    return namespace === undefined || namespace === 'default' ? 'it must stand in a namespace of its own' : undefined;
  },
  'pod-security': ({ kind, metadata }) => {
    if (kind !== 'Namespace') return undefined;
    const level = metadata.labels?.['pod-security.kubernetes.io/enforce'];
    return level === 'restricted'
      ? undefined
      : `expected Pod Security \`restricted\` enforced, found \`${level ?? 'nothing'}\``;
  },
  'secret-in-manifest': ({ kind }) =>
    kind === 'Secret' ? 'secrets are made by hand, not kept with the manifests' : undefined,
  'exposed-services': ({ kind, spec }) =>
    kind === 'Service' && ['NodePort', 'LoadBalancer'].includes(spec?.type ?? '')
      ? `\`${spec?.type}\` opens it to the outside; put your own ingress in front`
      : undefined,
  'dangling-service': ({ kind, metadata, spec }, all) => {
    if (kind !== 'Service') return undefined;
    const backends = selected(spec?.selector ?? {}, metadata.namespace, all);
    if (backends.length === 0) return 'its selector finds no pod';
    const ports = backends.flatMap(({ pod }) => containersOf(pod).flatMap((each) => each.ports ?? []));
    const known = new Set(ports.flatMap(({ name, containerPort }) => [name, containerPort]));
    const stray = spec?.ports?.find(({ port, targetPort }) => !known.has((targetPort ?? port) as string | number));
    return stray === undefined ? undefined : `no container has the port \`${stray.targetPort ?? stray.port}\``;
  },
  'dangling-network-policy': ({ kind, metadata, spec }, all) =>
    kind === 'NetworkPolicy' && selected(spec?.podSelector?.matchLabels ?? {}, metadata.namespace, all).length === 0
      ? 'its selector finds no pod'
      : undefined,
  'wide-network-policy': ({ kind, spec }) => {
    if (kind !== 'NetworkPolicy') return undefined;
    const isWide = (rules: readonly unknown[] | undefined) => rules === undefined || rules.length === 0;
    const open = [...(spec?.ingress ?? []).map(({ from }) => from), ...(spec?.egress ?? []).map(({ to }) => to)];
    return open.some(isWide) ? 'a rule without `from` or `to` lets in or out to everywhere' : undefined;
  },
  'dangling-pod-disruption-budget': ({ kind, metadata, spec }, all) => {
    if (kind !== 'PodDisruptionBudget') return undefined;
    const found = selected(spec?.selector?.matchLabels ?? {}, metadata.namespace, all);
    return found.some(({ manifest }) => manifest.kind !== 'DaemonSet')
      ? undefined
      : 'its selector finds no pod that it can count';
  },
  'pdb-blocks-drain': ({ kind, metadata, spec }, all) => {
    if (kind !== 'PodDisruptionBudget') return undefined;
    const [workload] = selected(spec?.selector?.matchLabels ?? {}, metadata.namespace, all);
    const replicas = workload?.manifest.spec?.replicas ?? 1;
    const isBlocked = spec?.maxUnavailable === 0 || Number(spec?.minAvailable ?? -1) >= replicas;
    return isBlocked ? 'no node with its pod can ever be drained' : undefined;
  },
};

type WorkloadRule = (workload: Workload, all: readonly Manifest[]) => string | undefined;

const WORKLOAD_RULES: Readonly<Record<string, WorkloadRule>> = {
  'mismatching-selector': ({ manifest, labels }) =>
    matches(manifest.spec?.selector?.matchLabels ?? { '': '' }, labels)
      ? undefined
      : 'its selector does not find its own pods',
  'non-existent-service-account': ({ manifest, pod }, all) =>
    find(all, 'ServiceAccount', pod.serviceAccountName, manifest) === undefined
      ? `there is no ServiceAccount \`${pod.serviceAccountName ?? ''}\`, and \`default\` is everybody's`
      : undefined,
  'non-existent-service': ({ manifest }, all) =>
    manifest.kind === 'StatefulSet' && find(all, 'Service', manifest.spec?.serviceName, manifest) === undefined
      ? `there is no Service \`${manifest.spec?.serviceName ?? ''}\``
      : undefined,
  'non-isolated-pod': ({ manifest, labels }, all) => {
    const policies = all.filter(({ kind, metadata, spec }) => {
      const isHere = kind === 'NetworkPolicy' && metadata.namespace === manifest.metadata.namespace;
      return isHere && matches(spec?.podSelector?.matchLabels ?? {}, labels);
    });
    const types = new Set(policies.flatMap(({ spec }) => spec?.policyTypes ?? []));
    return types.has('Ingress') && types.has('Egress') ? undefined : 'no NetworkPolicy bounds both its ways';
  },
  'dangling-config': ({ pod, manifest }, all) => danglingConfig(pod, manifest, all),
  'dangling-volume-mount': ({ pod, manifest }) => {
    const claims = (manifest.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name);
    const known = new Set([...claims, ...(pod.volumes ?? []).map(({ name }) => name)]);
    const mounts = containersOf(pod).flatMap((each) => each.volumeMounts ?? []);
    const stray = mounts.find(({ name }) => !known.has(name));
    return stray === undefined ? undefined : `there is no volume \`${stray.name}\``;
  },
  'dangling-claim': ({ pod, manifest }, all) => {
    const templates = (manifest.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name);
    const mounts = containersOf(pod).flatMap((each) => each.volumeMounts ?? []);
    const unused = templates.find((name) => !mounts.some((mount) => mount.name === name));
    if (unused !== undefined) return `nobody mounts the claim \`${unused}\``;
    const claims = (pod.volumes ?? []).map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName);
    const stray = claims.find(
      (name) => name !== undefined && find(all, 'PersistentVolumeClaim', name, manifest) === undefined,
    );
    return stray === undefined ? undefined : `there is no claim \`${stray}\``;
  },
  'one-writer': ({ pod, manifest }, all) => {
    const replicas = manifest.kind === 'DaemonSet' ? 1 : (manifest.spec?.replicas ?? 1);
    if (replicas !== 1) return `one process per ledger, found ${replicas} replicas`;
    const claims = [
      ...(manifest.spec?.volumeClaimTemplates ?? []).map(({ spec }) => spec?.accessModes),
      ...(pod.volumes ?? []).flatMap(({ persistentVolumeClaim }) => {
        const claim = find(all, 'PersistentVolumeClaim', persistentVolumeClaim?.claimName, manifest);
        return claim === undefined ? [] : [claim.spec?.accessModes];
      }),
    ];
    const isOnce = claims.length > 0 && claims.every((modes) => modes?.join() === 'ReadWriteOncePod');
    return isOnce ? undefined : 'the ledger needs a claim that only one pod may have: `ReadWriteOncePod`';
  },
};

/** ConfigMaps are there, Secrets are those of the docs, and every key of a bundle is mounted somewhere. */
function danglingConfig(
  { volumes = [] }: Workload['pod'],
  owner: Manifest,
  all: readonly Manifest[],
): string | undefined {
  const secrets = volumes.map(({ secret }) => secret?.secretName).filter((name) => name !== undefined);
  const sources = volumes.flatMap(({ configMap, projected }) => [
    ...(configMap === undefined ? [] : [configMap]),
    ...(projected?.sources ?? []).flatMap((source) => (source.configMap === undefined ? [] : [source.configMap])),
  ]);
  const stray = secrets.find((name) => !SECRETS.has(name));
  if (stray !== undefined) return `the docs say nothing of the Secret \`${stray}\``;
  for (const { name, items } of sources) {
    const found = find(all, 'ConfigMap', name, owner);
    if (found === undefined) return `there is no ConfigMap \`${name}\``;
    if (items === undefined) continue;
    const keys = Object.keys(found.data ?? {});
    const missing = items.find(({ key }) => !keys.includes(key));
    if (missing !== undefined) return `ConfigMap \`${name}\` has no key \`${missing.key}\``;
    const unused = keys.find((key) => !items.some((item) => item.key === key));
    if (unused !== undefined) return `key \`${unused}\` of ConfigMap \`${name}\` is mounted nowhere`;
  }
  return undefined;
}

/** Ids of all rules. */
export const RULES: readonly string[] = [CONTAINER_RULES, POD_RULES, OBJECT_RULES, WORKLOAD_RULES].flatMap(Object.keys);

export function ruleFaults(objects: readonly Manifest[]): readonly Fault[] {
  const faults: Fault[] = [];
  const report = (rule: string, at: string, text: string | undefined): void => {
    if (text !== undefined) faults.push({ check: 'rules', rule, at, text });
  };
  for (const object of objects) {
    for (const [rule, judge] of Object.entries(OBJECT_RULES)) report(rule, nameOf(object), judge(object, objects));
  }
  for (const workload of workloadsOf(objects)) {
    const at = nameOf(workload.manifest);
    for (const [rule, judge] of Object.entries(WORKLOAD_RULES)) report(rule, at, judge(workload, objects));
    for (const [rule, judge] of Object.entries(POD_RULES)) report(rule, at, judge(workload.pod));
    for (const container of containersOf(workload.pod)) {
      for (const [rule, judge] of Object.entries(CONTAINER_RULES)) {
        report(rule, `${at}, ${container.name}`, judge(container, workload.pod));
      }
    }
  }
  return faults;
}

function selected(labels: Labels, namespace: string | undefined, all: readonly Manifest[]): readonly Workload[] {
  return workloadsOf(all).filter(
    ({ manifest, labels: own }) => manifest.metadata.namespace === namespace && matches(labels, own),
  );
}

function find(
  all: readonly Manifest[],
  kind: string,
  name: string | undefined,
  beside: Manifest,
): Manifest | undefined {
  const { namespace } = beside.metadata;
  return all.find(
    (object) => object.kind === kind && object.metadata.name === name && object.metadata.namespace === namespace,
  );
}
