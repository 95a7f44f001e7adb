import { type Document, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import { GATEWAY, MANAGER } from './sample.ts';

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
