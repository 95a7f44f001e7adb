/** Rules about one container or one pod. Names are those of kube-linter and Polaris where they have such a rule. */
import type { Container, PodSpec, Probe, Volume } from './objects.ts';

/** What is wrong, or undefined. */
export type ContainerRule = (container: Container, pod: PodSpec) => string | undefined;
export type PodRule = (pod: PodSpec) => string | undefined;

/** What Pod Security "restricted" allows. */
const VOLUME_TYPES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
/** From the end of readiness to the flushed ledger, s. */
const DRAIN_S = 20;

export const CONTAINER_RULES: Readonly<Record<string, ContainerRule>> = {
  'latest-tag': ({ image = '' }) => {
    const tag = /(?:@sha256:[0-9a-f]{64}|:([^/:@]+))$/.exec(image);
    return tag === null || tag[1] === 'latest'
      ? `expected a digest or a tag of a version, found \`${image}\``
      : undefined;
  },
  'run-as-non-root': ({ securityContext: own }, { securityContext: pods }) => {
    const user = own?.runAsUser ?? pods?.runAsUser;
    const isNot = (own?.runAsNonRoot ?? pods?.runAsNonRoot) === true && user !== undefined && user > 0;
    return isNot ? undefined : '`runAsNonRoot` and a `runAsUser` above 0 are missing';
  },
  'privileged-container': ({ securityContext }) =>
    securityContext?.privileged === true ? 'it is `privileged`' : undefined,
  'privilege-escalation-container': ({ securityContext }) =>
    securityContext?.allowPrivilegeEscalation === false ? undefined : '`allowPrivilegeEscalation: false` is missing',
  'drop-all-capabilities': ({ securityContext }) => {
    const { drop = [], add = [] } = securityContext?.capabilities ?? {};
    return drop.includes('ALL') && add.length === 0 ? undefined : 'expected `drop: [ALL]`, and none added';
  },
  'no-read-only-root-fs': ({ securityContext }) =>
    securityContext?.readOnlyRootFilesystem === true ? undefined : '`readOnlyRootFilesystem: true` is missing',
  'unset-seccomp-profile': ({ securityContext: own }, { securityContext: pods }) => {
    const type = (own?.seccompProfile ?? pods?.seccompProfile)?.type;
    return type === 'RuntimeDefault' || type === 'Localhost' ? undefined : '`seccompProfile` is missing';
  },
  'unset-memory-requirements': ({ resources }) => {
    const { requests, limits } = resources ?? {};
    const isSet = requests?.['memory'] !== undefined && requests['memory'] === limits?.['memory'];
    return isSet ? undefined : 'the request of memory must be there, and be the limit';
  },
  'unset-cpu-requirements': ({ resources }) =>
    resources?.requests?.['cpu'] === undefined ? 'the request of cpu is missing' : undefined,
  'no-startup-probe': serving('startupProbe'),
  'no-readiness-probe': serving('readinessProbe'),
  'no-liveness-probe': serving('livenessProbe'),
  'probe-port': (container) => {
    const known = new Set((container.ports ?? []).flatMap(({ name, containerPort }) => [name, containerPort]));
    const asked = probesOf(container).map((probe) => probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port);
    const stray = asked.find((port) => port !== undefined && !known.has(port));
    return stray === undefined ? undefined : `a probe asks port \`${stray}\`, which is not among its ports`;
  },
  'no-shell': (container) => {
    const first = [container.command?.[0], ...probesOf(container).map((probe) => probe.exec?.command?.[0])];
    const shell = first.find((word) => /(?:^|\/)(?:ba|da|a)?sh$/.test(word ?? ''));
    return shell === undefined ? undefined : `the images have no shell, found \`${shell}\``;
  },
  'no-host-port': ({ ports = [] }) =>
    ports.some(({ hostPort }) => hostPort !== undefined) ? 'it takes a port of the node' : undefined,
  'env-var-secret': ({ env = [], envFrom = [] }) =>
    env.some(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined) ||
    envFrom.some(({ secretRef }) => secretRef !== undefined)
      ? 'secrets are mounted as files, never put into the environment'
      : undefined,
  'duplicate-env-var': ({ env = [] }) => {
    const names = env.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    return twice === undefined ? undefined : `\`${twice}\` is set twice`;
  },
};

export const POD_RULES: Readonly<Record<string, PodRule>> = {
  'host-namespaces': ({ hostNetwork, hostPID, hostIPC }) =>
    hostNetwork === true || hostPID === true || hostIPC === true ? 'it shares a namespace of the node' : undefined,
  'restricted-volumes': ({ volumes = [] }) => {
    const stray = volumes.flatMap(typesOf).find((type) => !VOLUME_TYPES.includes(type));
    return stray === undefined ? undefined : `Pod Security "restricted" has no volume of type \`${stray}\``;
  },
  'bounded-empty-dir': ({ volumes = [] }) => {
    const stray = volumes.find(({ emptyDir }) => emptyDir !== undefined && emptyDir.sizeLimit === undefined);
    return stray === undefined ? undefined : `\`${stray.name}\` has no \`sizeLimit\``;
  },
  'secret-mode': ({ volumes = [], securityContext }) => {
    const open = volumes.find(({ secret }) => secret !== undefined && ((secret.defaultMode ?? 0o644) & 0o137) !== 0);
    if (open !== undefined) return `\`${open.name}\` needs \`defaultMode: 0440\` or stricter`;
    const isRead = securityContext?.fsGroup !== undefined || !volumes.some(({ secret }) => secret !== undefined);
    return isRead ? undefined : 'without `fsGroup` nobody but root reads the secrets';
  },
  'automount-service-account-token': ({ automountServiceAccountToken }) =>
    automountServiceAccountToken === false ? undefined : '`automountServiceAccountToken: false` is missing',
  'grace-period': ({ terminationGracePeriodSeconds: grace = 30, containers = [] }) => {
    const sleeps = containers.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0);
    const needed = Math.max(0, ...sleeps) + DRAIN_S;
    return grace >= needed
      ? undefined
      : `expected \`terminationGracePeriodSeconds\` of ${needed} at least, found ${grace}`;
  },
};

/** Init containers that end are not asked; those that stay are sidecars. */
function serving(probe: 'startupProbe' | 'readinessProbe' | 'livenessProbe'): ContainerRule {
  return (container, { initContainers = [] }) => {
    const isServing = !initContainers.includes(container) || container.restartPolicy === 'Always';
    return isServing && container[probe] === undefined ? `\`${probe}\` is missing` : undefined;
  };
}

function probesOf({ startupProbe, readinessProbe, livenessProbe, lifecycle }: Container): readonly Probe[] {
  return [startupProbe, readinessProbe, livenessProbe, lifecycle?.preStop].filter((probe) => probe !== undefined);
}

function typesOf(volume: Volume): string[] {
  return Object.keys(volume).filter((key) => key !== 'name');
}
