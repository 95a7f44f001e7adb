/** What the manifests take from envoy/: made from the sample, so that there is one gateway and not four. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Document, parse, parseDocument, stringify, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Fault } from './faults.ts';

/** Providers of the bundle in k8s/base/bundle. Those of the sample that need an account's own host name are left out. */
const PROVIDERS: Readonly<Record<string, string>> = { openai: 'api.openai.com', anthropic: 'api.anthropic.com' };
const CA_FILE = '/etc/ssl/certs/ca-certificates.crt';
const SECRETS_DIR = '/etc/envoy-secrets';
const SOCKETS: Readonly<Record<string, string>> = {
  tollgate_check: '/run/tollgate/own/check.sock',
  tollgate_access_log: '/run/tollgate/own/access-log.sock',
};
/** Port of the kubelet's probes. */
const HEALTH_PORT = 8090;

const GATEWAY = ['static_resources', 'listeners', 0];
const MANAGER = [...GATEWAY, 'filter_chains', 0, 'filters', 0, 'typed_config'];
const ENDPOINT = ['load_assignment', 'endpoints', 0, 'lb_endpoints', 0, 'endpoint', 'address'];
const INJECTOR = [
  'typed_extension_protocol_options',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
  'http_filters',
  0,
  'typed_config',
  'credential',
  'typed_config',
  'credential',
  'sds_config',
  'path_config_source',
];

export interface Sample {
  /** envoy/envoy.yaml */
  readonly envoy: string;
  /** envoy/edit.lua */
  readonly lua: string;
}

export async function readSample(root: string): Promise<Sample> {
  const read = (name: string) => readFile(join(root, 'envoy', name), 'utf8');
  return { envoy: await read('envoy.yaml'), lua: await read('edit.lua') };
}

/** Texts of the derived files by their paths in the repository. */
export function derivedTexts(sample: Sample): ReadonlyMap<string, string> {
  return new Map([
    ['k8s/components/envoy/envoy.yaml', podGateway(sample.envoy)],
    ['k8s/components/envoy/edit.lua', sample.lua],
    ['k8s/overlays/istio/envoy-filters.yaml', envoyFilters(sample)],
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

/** The sample in a pod: sockets, mounted files, real providers, and a listener for the kubelet. Comments stay. */
export function podGateway(sample: string): string {
  const root = parseDocument(sample);
  root.commentBefore =
    ' Made from envoy/envoy.yaml by `npm run k8s -- --write`: change it there. Different here: where it listens and reads its\n' +
    ' files, Tollgate on sockets, real providers instead of the stub (and those of the bundle only), a port for the kubelet.';
  root.setIn(['node', 'id'], 'tollgate-gateway');
  root.setIn([...GATEWAY, 'address', 'socket_address', 'address'], '0.0.0.0');
  const filters = root.getIn([...MANAGER, 'http_filters']) as YAMLSeq<YAMLMap>;
  const lua = filters.items.find((filter) => filter.get('name') === 'envoy.filters.http.lua');
  lua?.setIn(['typed_config', 'default_source_code', 'filename'], '/etc/envoy/edit.lua');
  const routes = root.getIn([...MANAGER, 'route_config', 'virtual_hosts', 0, 'routes']) as YAMLSeq<YAMLMap>;
  keepKnown(routes, (route) => String(route.getIn(['route', 'cluster'])));
  for (const route of routes.items) {
    const host = PROVIDERS[String(route.getIn(['route', 'cluster']))];
    (route.get('route') as YAMLMap).add(root.createPair('host_rewrite_literal', host));
  }
  const clusters = root.getIn(['static_resources', 'clusters']) as YAMLSeq<YAMLMap>;
  keepKnown(clusters, (cluster) => String(cluster.get('name')));
  for (const cluster of clusters.items) {
    const name = String(cluster.get('name'));
    const socket = SOCKETS[name];
    if (socket === undefined) toProvider(root, cluster, name);
    else cluster.setIn(ENDPOINT, root.createNode({ pipe: { path: socket } }, { flow: true }));
  }
  (root.getIn(['static_resources', 'listeners']) as YAMLSeq).add(root.createNode(healthListener()));
  return tight(root.toString({ lineWidth: 0 }));
}

/** Lists in a line as the sample writes them, `[a, b]`. No text of the sample looks like one but by a backslash behind `[ `. */
function tight(text: string): string {
  return text.replace(/\[ (?=["\w{])/g, '[').replace(/(?<=["\w}]) \]/g, ']');
}

function keepKnown(list: YAMLSeq<YAMLMap>, clusterOf: (item: YAMLMap) => string): void {
  const known = new Set([...Object.keys(PROVIDERS), ...Object.keys(SOCKETS)]);
  list.items = list.items.filter((item) => known.has(clusterOf(item)));
}

function toProvider(root: Document, cluster: YAMLMap, name: string): void {
  const host = PROVIDERS[name];
  if (host === undefined) throw new Error(`no host for the provider \`${name}\``);
  cluster.set('type', 'LOGICAL_DNS');
  cluster.set('dns_lookup_family', 'V4_PREFERRED');
  cluster.setIn([...ENDPOINT, 'socket_address', 'address'], host);
  cluster.setIn([...ENDPOINT, 'socket_address', 'port_value'], 443);
  // The kubelet swaps a link above the file, which only a watch of the directory sees.
  cluster.setIn(
    INJECTOR,
    root.createNode({ path: `${SECRETS_DIR}/${name}.yaml`, watched_directory: { path: SECRETS_DIR } }, { flow: true }),
  );
  cluster.set('transport_socket', {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      sni: host,
      auto_sni_san_validation: true,
      common_tls_context: { validation_context: { trusted_ca: { filename: CA_FILE } } },
    },
  });
}

/** `/live`: the process answers. `/ready`: and it is not being drained. Nothing else is served there. */
function healthListener(): object {
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
  return {
    name: 'health',
    address: { socket_address: { address: '0.0.0.0', port_value: HEALTH_PORT } },
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': type('network.http_connection_manager.v3.HttpConnectionManager'),
              stat_prefix: 'health',
              http_filters: [
                {
                  name: 'envoy.filters.http.health_check',
                  typed_config: {
                    '@type': type('http.health_check.v3.HealthCheck'),
                    pass_through_mode: false,
                    headers: [{ name: ':path', string_match: { exact: '/ready' } }],
                  },
                },
                { name: 'envoy.filters.http.router', typed_config: { '@type': type('http.router.v3.Router') } },
              ],
              route_config: {
                virtual_hosts: [
                  {
                    name: 'health',
                    domains: ['*'],
                    routes: [{ match: { path: '/live' }, direct_response: { status: 200 } }],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
  };
}

export type Json = { [key: string]: Json } | Json[] | string | number | boolean | null;
export type JsonMap = { [key: string]: Json };

/** What Istio itself makes of a connection manager, and what it is told by other objects. */
const MANAGER_OF_ISTIO = ['stat_prefix', 'codec_type', 'access_log', 'http_filters', 'route_config'];
/** What the extension provider says of ext_authz; of `grpc_service`, all but the retries. */
const AUTHZ_OF_PROVIDER = [
  'transport_api_version',
  'grpc_service',
  'with_request_body',
  'failure_mode_allow',
  'status_on_error',
];
export const AUTHZ = 'envoy.filters.http.ext_authz';
const ROUTER = 'envoy.filters.http.router';

/** What a gateway of Istio's needs to be the sample, beyond what Istio's own objects can say. */
export function envoyFilters({ envoy, lua }: Sample): string {
  const manager = managerOf(parse(envoy, { merge: false }) as JsonMap);
  const filters = manager['http_filters'] as { name: string; typed_config: JsonMap }[];
  const routeConfig = manager['route_config'] as { virtual_hosts: JsonMap[] };
  const host = routeConfig.virtual_hosts[0]!;
  const context = 'GATEWAY';
  const network = { name: 'envoy.filters.network.http_connection_manager' };
  const before = (name: string) => ({
    context,
    listener: { filterChain: { filter: { ...network, subFilter: { name } } } },
  });
  const behind = filters.filter(({ name }) => name !== AUTHZ && name !== ROUTER);
  const authz = filters.find(({ name }) => name === AUTHZ)!;
  const objects = [
    {
      name: 'tollgate-connections',
      comment:
        ' How the gateway takes requests: one spelling of a path, no header that looks like one of ours, no endless stream.',
      patches: [
        {
          applyTo: 'NETWORK_FILTER',
          match: { context, listener: { filterChain: { filter: network } } },
          patch: {
            operation: 'MERGE',
            value: { ...network, typed_config: without(manager, MANAGER_OF_ISTIO) },
          },
        },
      ],
    },
    {
      name: 'tollgate-filters',
      comment:
        ' What the extension provider cannot say of ext_authz, the edits of the body, and what the provider reports.',
      patches: [
        {
          applyTo: 'HTTP_FILTER',
          match: before(AUTHZ),
          patch: { operation: 'MERGE', value: { name: AUTHZ, typed_config: authzPatch(authz.typed_config) } },
        },
        ...behind.map((filter) => ({
          applyTo: 'HTTP_FILTER',
          match: before(ROUTER),
          patch: { operation: 'INSERT_BEFORE', value: inlined(filter, lua) },
        })),
        {
          applyTo: 'HTTP_FILTER',
          match: before(ROUTER),
          patch: { operation: 'MERGE', value: filters.find(({ name }) => name === ROUTER)! },
        },
      ],
    },
    {
      name: 'tollgate-headers',
      comment: ' What the providers are not told about callers, and replies that the filters above can read.',
      patches: [
        {
          applyTo: 'VIRTUAL_HOST',
          match: { context },
          patch: { operation: 'MERGE', value: without(host, ['name', 'domains', 'routes']) },
        },
      ],
    },
  ];
  const head =
    '# Made from envoy/envoy.yaml and envoy/edit.lua by `npm run k8s -- --write`: change them there.\n' +
    '# For a gateway of its own: they hold for all that it serves.\n';
  return head + objects.map(objectText).join('---\n');
}

function objectText({ name, comment, patches }: { name: string; comment: string; patches: readonly object[] }): string {
  const object = {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name, namespace: 'istio-ingress' },
    spec: { workloadSelector: { labels: { istio: 'ingressgateway' } }, configPatches: patches },
  };
  return `#${comment}\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** The connection manager of a parsed sample. */
export function managerOf(root: JsonMap): JsonMap {
  let node: Json = root;
  for (const step of MANAGER) node = (node as JsonMap)[step as string]!;
  return node as JsonMap;
}

export function without(map: JsonMap, keys: readonly string[]): JsonMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

function authzPatch(config: JsonMap): JsonMap {
  const { retry_policy: retries } = config['grpc_service'] as JsonMap;
  const rest = without(config, AUTHZ_OF_PROVIDER);
  return retries === undefined ? rest : { ...rest, grpc_service: { retry_policy: retries } };
}

/** A gateway of Istio's has no file of ours: the script stands in the object. */
function inlined(filter: { name: string; typed_config: JsonMap }, lua: string): JsonMap {
  if (!('default_source_code' in filter.typed_config)) return filter;
  return { ...filter, typed_config: { ...filter.typed_config, default_source_code: { inline_string: lua } } };
}
