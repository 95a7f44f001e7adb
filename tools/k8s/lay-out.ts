/** The files that a container will find at its mounts, below a directory of this machine. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { stringify } from 'yaml';
import type { ConfigSource, Container, Manifest, PodSpec } from './objects.ts';

/** Secrets that are not in the manifests but made by hand (docs/kubernetes.md), with stand-ins of the same form. */
export const SECRETS: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map([
  ['tollgate-pepper', { v1: '0'.repeat(64) }],
  ['tollgate-envoy-secrets', { 'openai.yaml': providerKey('openai'), 'anthropic.yaml': providerKey('anthropic') }],
]);

/** Of the image, not of a mount. */
const CA_FILE = '/etc/ssl/certs/ca-certificates.crt';

function providerKey(name: string): string {
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
  const secret = { '@type': type, name, generic_secret: { secret: { inline_string: 'stand-in' } } };
  return stringify({ resources: [secret] });
}

export interface Mounted {
  readonly objects: readonly Manifest[];
  readonly pod: PodSpec;
  readonly container: Container;
  /** Also move sockets and data, so that what is laid out can run here. Default: only what is read, below /etc. */
  readonly isToRun?: boolean;
}

/**
 * Writes what the container's ConfigMaps and Secrets hold to `dir` + mount path, for their owner alone. Paths below a mount
 * that stand in the files' text are moved below `dir`, so that they can be followed here.
 */
export async function layOut({ objects, pod, container, isToRun = false }: Mounted, dir: string): Promise<void> {
  const mounts = container.volumeMounts ?? [];
  const moved = [...mounts.map(({ mountPath }) => mountPath), CA_FILE].filter(
    (path) => isToRun || path.startsWith('/etc/'),
  );
  // The longest first: /etc/tollgate is a part of /etc/tollgate-pepper.
  const pattern = new RegExp(`(?:${moved.toSorted((a, b) => b.length - a.length).join('|')})(?=[/"'\\s},]|$)`, 'g');
  await put(join(dir, CA_FILE), rootCertificates[0]!);
  for (const { name, mountPath } of mounts) {
    for (const [path, text] of filesOf(objects, pod, name)) {
      await put(
        join(dir, mountPath, path),
        text.replace(pattern, (found) => join(dir, found)),
      );
    }
  }
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, text, { mode: 0o600 });
}

/** Path and text of the files of a volume; empty where it holds none of the manifests'. */
function filesOf(objects: readonly Manifest[], pod: PodSpec, name: string): readonly [path: string, text: string][] {
  const volume = pod.volumes?.find((each) => each.name === name);
  const { secretName, items } = volume?.secret ?? {};
  const secretOf: ConfigSource | undefined =
    secretName === undefined ? undefined : { name: secretName, ...(items === undefined ? {} : { items }) };
  const sources: readonly {
    readonly configMap?: ConfigSource | undefined;
    readonly secret?: ConfigSource | undefined;
  }[] = [{ configMap: volume?.configMap, secret: secretOf }, ...(volume?.projected?.sources ?? [])];
  return sources.flatMap(({ configMap, secret }) => [
    ...placed(
      configMap,
      objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap?.name)?.data,
    ),
    ...placed(secret, SECRETS.get(secret?.name ?? '')),
  ]);
}

function placed(source: ConfigSource | undefined, data: Readonly<Record<string, string>> = {}): [string, string][] {
  if (source?.items === undefined) return Object.entries(data);
  return source.items.flatMap(({ key, path }) =>
    data[key] === undefined ? [] : [[path, data[key]] as [string, string]],
  );
}
