/** Kubernetes objects as the checks read them: what they touch of them, all of it optional, for nothing is checked yet. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { K8sError } from './errors.ts';
import type { Kustomize } from './find.ts';

const run = promisify(execFile);

export type Labels = Readonly<Record<string, string>>;

/** A `LabelSelector`, of which the manifests use `matchLabels` only. */
export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly unknown[];
}

export interface ConfigSource {
  readonly name?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}

export interface Volume {
  readonly name: string;
  readonly configMap?: ConfigSource & { readonly defaultMode?: number };
  readonly secret?: {
    readonly secretName?: string;
    readonly items?: ConfigSource['items'];
    readonly defaultMode?: number;
  };
  readonly projected?: {
    readonly defaultMode?: number;
    readonly sources?: readonly { readonly configMap?: ConfigSource; readonly secret?: ConfigSource }[];
  };
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly emptyDir?: { readonly sizeLimit?: string };
}

export interface Probe {
  readonly exec?: { readonly command?: readonly string[] };
  readonly httpGet?: { readonly port?: string | number };
  readonly tcpSocket?: { readonly port?: string | number };
  readonly grpc?: { readonly port?: string | number };
}

export interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly fsGroup?: number;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly seccompProfile?: { readonly type?: string };
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly restartPolicy?: string;
  readonly env?: readonly { readonly name: string; readonly valueFrom?: { readonly secretKeyRef?: unknown } }[];
  readonly envFrom?: readonly { readonly secretRef?: unknown }[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly hostPort?: number }[];
  readonly securityContext?: SecurityContext;
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels };
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: Probe & { readonly sleep?: { readonly seconds?: number } } };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface PodSpec {
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly securityContext?: SecurityContext;
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly affinity?: { readonly podAntiAffinity?: unknown };
  readonly topologySpreadConstraints?: readonly unknown[];
}

export interface PolicyRule {
  readonly from?: readonly unknown[];
  readonly to?: readonly unknown[];
}

export interface Spec {
  readonly replicas?: number;
  readonly serviceName?: string;
  readonly selector?: Selector & Labels;
  readonly template?: { readonly metadata?: { readonly labels?: Labels }; readonly spec?: PodSpec };
  readonly volumeClaimTemplates?: readonly { readonly metadata?: { readonly name?: string }; readonly spec?: Spec }[];
  readonly accessModes?: readonly string[];
  readonly type?: string;
  readonly ports?: readonly { readonly port?: number; readonly targetPort?: number | string }[];
  readonly podSelector?: Selector;
  readonly policyTypes?: readonly string[];
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
  readonly minAvailable?: number | string;
  readonly maxUnavailable?: number | string;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly spec?: Spec;
  readonly data?: Readonly<Record<string, string>>;
  readonly automountServiceAccountToken?: boolean;
}

/** Something that makes pods: a StatefulSet, a DaemonSet, a Deployment. */
export interface Workload {
  readonly manifest: Manifest;
  readonly labels: Labels;
  readonly pod: PodSpec;
}

/** Renders a directory. Throws K8sError with kustomize's own last words. */
export async function render(dir: string, [bin, subcommand]: Kustomize): Promise<string> {
  try {
    return (await run(bin, [subcommand, dir], { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 })).stdout;
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    throw new K8sError(`\`${dir}\` cannot be rendered: ${said}`, { cause });
  }
}

/** Objects of a YAML stream. Throws K8sError for what is no object of Kubernetes'. */
export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { merge: false }).map((document, index) => {
    const [error] = document.errors;
    if (error !== undefined) throw new K8sError(`document ${index + 1} is no YAML: ${error.message}`);
    const value = document.toJS() as Partial<Manifest> | null;
    const isObject = typeof value?.apiVersion === 'string' && typeof value.kind === 'string';
    if (!isObject || typeof value.metadata?.name !== 'string') {
      throw new K8sError(`document ${index + 1} has no \`apiVersion\`, \`kind\` and \`metadata.name\``);
    }
    return value as Manifest;
  });
}

export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}

export function workloadsOf(objects: readonly Manifest[]): readonly Workload[] {
  return objects.flatMap((manifest) => {
    const { template } = manifest.spec ?? {};
    if (template?.spec === undefined) return [];
    return [{ manifest, labels: template.metadata?.labels ?? {}, pod: template.spec }];
  });
}

/** All of a pod's, sidecars first, as they start. */
export function containersOf(pod: PodSpec): readonly Container[] {
  return [...(pod.initContainers ?? []), ...(pod.containers ?? [])];
}

/** Whether `labels` has every pair of `wanted`. */
export function matches(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
