/** One bad manifest for each rule: a good set in which one thing is spoilt, and exactly that rule says so. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RULES, ruleFaults } from '../../tools/k8s/rules.ts';
import { schemaFaults } from '../../tools/k8s/schemas.ts';
import { goodObjects, spoilt } from './good.ts';

/** `said`: what the fault must say. `value` undefined: taken away. `also`: rules that cannot but be broken with it. */
type Row = readonly [rule: string, said: RegExp, path: string, value?: unknown, also?: readonly string[]];

const LEVEL = 'pod-security.kubernetes.io/enforce';
const PDB = 'PodDisruptionBudget/spec';
const OTHER = { app: 'other' };

const ROWS: readonly Row[] = [
  ['latest-tag', /found `tollgate:latest`/, 'box/image', 'tollgate:latest'],
  ['latest-tag', /found `host:5000\/tollgate`/, 'box/image', 'host:5000/tollgate'],
  ['run-as-non-root', /missing/, 'pod/securityContext/runAsUser', 0],
  ['run-as-non-root', /missing/, 'box/securityContext/runAsNonRoot', false],
  ['privileged-container', /privileged/, 'box/securityContext/privileged', true],
  ['privilege-escalation-container', /missing/, 'box/securityContext/allowPrivilegeEscalation'],
  ['drop-all-capabilities', /drop/, 'box/securityContext/capabilities/drop', ['NET_RAW']],
  ['drop-all-capabilities', /none added/, 'box/securityContext/capabilities/add', ['NET_ADMIN']],
  ['no-read-only-root-fs', /missing/, 'box/securityContext/readOnlyRootFilesystem', false],
  ['unset-seccomp-profile', /missing/, 'pod/securityContext/seccompProfile/type', 'Unconfined'],
  ['unset-memory-requirements', /be the limit/, 'box/resources/requests/memory', '512Mi'],
  ['unset-memory-requirements', /be the limit/, 'box/resources/limits'],
  ['unset-cpu-requirements', /cpu/, 'box/resources/requests/cpu'],
  ['no-startup-probe', /`startupProbe` is missing/, 'box/startupProbe'],
  ['no-readiness-probe', /`readinessProbe` is missing/, 'box/readinessProbe'],
  ['no-liveness-probe', /`livenessProbe` is missing/, 'box/livenessProbe'],
  ['probe-port', /port `9999`/, 'box/readinessProbe', { tcpSocket: { port: 9999 } }],
  ['no-shell', /found `\/bin\/sh`/, 'box/livenessProbe/exec/command', ['/bin/sh', '-c', 'true']],
  ['no-shell', /found `bash`/, 'box/command', ['bash']],
  ['no-host-port', /port of the node/, 'box/ports/0/hostPort', 8080],
  [
    'env-var-secret',
    /mounted as files/,
    'box/env/-',
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
  ],
  ['env-var-secret', /mounted as files/, 'box/envFrom', [{ secretRef: { name: 'a' } }]],
  ['duplicate-env-var', /`A` is set twice/, 'box/env/-', { name: 'A', value: '2' }],
  ['dangling-volume-mount', /no volume `gone`/, 'box/volumeMounts/-', { name: 'gone', mountPath: '/gone' }],
  ['host-namespaces', /namespace of the node/, 'pod/hostNetwork', true],
  ['host-namespaces', /namespace of the node/, 'pod/hostPID', true],
  ['host-namespaces', /namespace of the node/, 'pod/hostIPC', true],
  ['restricted-volumes', /type `hostPath`/, 'pod/volumes/-', { name: 'host', hostPath: { path: '/run' } }],
  ['bounded-empty-dir', /`tmp` has no `sizeLimit`/, 'pod/volumes/2/emptyDir', {}],
  ['secret-mode', /`pepper` needs/, 'pod/volumes/1/secret/defaultMode', 0o444],
  ['secret-mode', /`pepper` needs/, 'pod/volumes/1/secret/defaultMode'],
  ['secret-mode', /without `fsGroup`/, 'pod/securityContext/fsGroup'],
  ['automount-service-account-token', /missing/, 'pod/automountServiceAccountToken'],
  ['grace-period', /of 30 at least, found 29/, 'pod/terminationGracePeriodSeconds', 29],
  ['default-namespace', /of its own/, 'ConfigMap/metadata/namespace', 'default', ['dangling-config']],
  ['pod-security', /found `baseline`/, `Namespace/metadata/labels`, { [LEVEL]: 'baseline' }],
  ['pod-security', /found `nothing`/, `Namespace/metadata/labels`],
  ['exposed-services', /`NodePort`/, 'Service/spec/type', 'NodePort'],
  ['dangling-service', /finds no pod/, 'Service/spec/selector', OTHER],
  ['dangling-service', /port `https`/, 'Service/spec/ports/0/targetPort', 'https'],
  [
    'dangling-network-policy',
    /finds no pod/,
    'NetworkPolicy/spec/podSelector/matchLabels',
    OTHER,
    ['non-isolated-pod'],
  ],
  ['wide-network-policy', /everywhere/, 'NetworkPolicy/spec/egress/0/to'],
  ['wide-network-policy', /everywhere/, 'NetworkPolicy/spec/ingress/0/from', []],
  ['dangling-pod-disruption-budget', /can count/, `${PDB}/selector/matchLabels`, OTHER],
  ['pdb-blocks-drain', /drained/, `${PDB}/maxUnavailable`, 0],
  ['pdb-blocks-drain', /drained/, `${PDB}/minAvailable`, 1],
  ['mismatching-selector', /its own pods/, 'set/spec/selector/matchLabels', OTHER],
  ['mismatching-selector', /its own pods/, 'set/spec/selector/matchLabels'],
  ['non-existent-service-account', /no ServiceAccount `other`/, 'pod/serviceAccountName', 'other'],
  ['non-existent-service', /no Service `other`/, 'set/spec/serviceName', 'other'],
  ['non-isolated-pod', /bounds both/, 'NetworkPolicy/spec/policyTypes', ['Ingress']],
  ['dangling-config', /no ConfigMap `gone`/, 'pod/volumes/0/configMap/name', 'gone'],
  ['dangling-config', /has no key `c`/, 'pod/volumes/0/configMap/items/-', { key: 'c', path: 'c' }],
  ['dangling-config', /key `b` of ConfigMap `settings` is mounted nowhere/, 'pod/volumes/0/configMap/items/1'],
  ['dangling-config', /nothing of the Secret `mine`/, 'pod/volumes/1/secret/secretName', 'mine'],
  ['dangling-claim', /mounts the claim `ledger`/, 'box/volumeMounts/1'],
  [
    'dangling-claim',
    /no claim `gone`/,
    'pod/volumes/-',
    { name: 'more', persistentVolumeClaim: { claimName: 'gone' } },
  ],
  ['one-writer', /found 2 replicas/, 'set/spec/replicas', 2],
  ['one-writer', /ReadWriteOncePod/, 'set/spec/volumeClaimTemplates/0/spec/accessModes', ['ReadWriteOnce']],
];

describe('rules', () => {
  test('0 the good set breaks none, and is valid by its schemas', () => {
    assert.deepEqual(ruleFaults(goodObjects()), []);
    assert.deepEqual(schemaFaults(goodObjects()), []);
  });

  for (const [index, [rule, said, path, value, also = []]] of ROWS.entries()) {
    test(`${index + 1} ${rule}: ${path}`, () => {
      const faults = ruleFaults(spoilt(goodObjects(), path, value));
      assert.deepEqual([...new Set(faults.map((fault) => fault.rule))].toSorted(), [rule, ...also].toSorted());
      assert.match(faults.find((fault) => fault.rule === rule)!.text, said);
    });
  }

  test('secret-in-manifest: a Secret among the objects', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'tollgate' } };
    assert.deepEqual(
      ruleFaults([...goodObjects(), secret]).map(({ rule, at }) => [rule, at]),
      [['secret-in-manifest', 'Secret tollgate/a']],
    );
  });

  test('sidecars are asked for probes, containers that end are not', () => {
    const box = {
      ...goodObjects().at(-1)!.spec!.template!.spec!.containers![0],
      name: 'first',
      livenessProbe: undefined,
    };
    const rulesOf = (first: object) =>
      ruleFaults(spoilt(goodObjects(), 'pod/initContainers', [first])).map(({ rule, at }) => [rule, at]);
    assert.deepEqual(rulesOf({ ...box, restartPolicy: 'Always' }), [
      ['no-liveness-probe', 'StatefulSet tollgate/tollgate, first'],
    ]);
    assert.deepEqual(rulesOf(box), []);
  });

  test('each has a bad manifest above', () => {
    assert.deepEqual([...new Set([...ROWS.map(([rule]) => rule), 'secret-in-manifest'])].toSorted(), RULES.toSorted());
    assert.ok(RULES.length >= 25);
  });
});
