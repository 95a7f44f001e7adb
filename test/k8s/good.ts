/** The smallest set of objects that no rule has anything against, and a way to spoil one thing of it. */
import assert from 'node:assert/strict';
import type { Manifest } from '../../tools/k8s/objects.ts';
import type { JsonMap } from '../../tools/k8s/sample.ts';

/** Begins of paths that are written often. */
const SHORT: Readonly<Record<string, string>> = {
  set: 'StatefulSet',
  pod: 'StatefulSet/spec/template/spec',
  box: 'StatefulSet/spec/template/spec/containers/0',
};

/** Fresh with each call. */
export function goodObjects(): Manifest[] {
  const namespace = 'tollgate';
  const labels = { app: 'tollgate' };
  const probe = { httpGet: { path: '/', port: 'http' } };
  const objects: readonly object[] = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'tollgate', namespace },
      automountServiceAccountToken: false,
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace }, data: { a: '1', b: '2' } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'tollgate', namespace },
      spec: { type: 'ClusterIP', selector: labels, ports: [{ port: 80, targetPort: 'http' }] },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'tollgate', namespace },
      spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'tollgate', namespace },
      spec: {
        podSelector: { matchLabels: labels },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ podSelector: {} }] }],
        egress: [{ to: [{ podSelector: {} }] }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'tollgate', namespace },
      spec: {
        replicas: 1,
        serviceName: 'tollgate',
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'tollgate',
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 30,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 65532,
              fsGroup: 65532,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: 'tollgate',
                image: 'tollgate:0.1.0',
                env: [{ name: 'A', value: '1' }],
                ports: [{ name: 'http', containerPort: 8080 }],
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ['ALL'] },
                },
                resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
                startupProbe: probe,
                readinessProbe: probe,
                livenessProbe: { exec: { command: ['node', 'health.js'] } },
                lifecycle: { preStop: { sleep: { seconds: 10 } } },
                volumeMounts: [
                  { name: 'settings', mountPath: '/etc/settings' },
                  { name: 'ledger', mountPath: '/var/lib/tollgate' },
                ],
              },
            ],
            volumes: [
              {
                name: 'settings',
                configMap: {
                  name: 'settings',
                  items: [
                    { key: 'a', path: 'a' },
                    { key: 'b', path: 'b' },
                  ],
                },
              },
              { name: 'pepper', secret: { secretName: 'tollgate-pepper', defaultMode: 0o440 } },
              { name: 'tmp', emptyDir: { sizeLimit: '1Mi' } },
            ],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'ledger' },
            spec: { accessModes: ['ReadWriteOncePod'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
      },
    },
  ];
  return objects as Manifest[];
}

/**
 * The objects with another value at a path like `box/image` or `Service/spec/type`; undefined takes it away, `-` as the last
 * step adds to a list. A step that is not there, but for the last, fails the test.
 */
export function spoilt(objects: readonly Manifest[], path: string, value: unknown): Manifest[] {
  const copy = structuredClone(objects) as Manifest[];
  const [first, ...rest] = path.split('/');
  const [kind, ...steps] = [...(SHORT[first!] ?? first!).split('/'), ...rest];
  const last = steps.pop()!;
  let node = copy.find((object) => object.kind === kind) as unknown as JsonMap;
  for (const step of steps) {
    node = node[step] as JsonMap;
    assert.ok(typeof node === 'object', `\`${path}\` has no \`${step}\``);
  }
  if (Array.isArray(node))
    node.splice(
      last === '-' ? node.length : Number(last),
      last === '-' ? 0 : 1,
      ...(value === undefined ? [] : [value]),
    );
  else if (value === undefined) delete node[last];
  else node[last] = value as string;
  return copy;
}
