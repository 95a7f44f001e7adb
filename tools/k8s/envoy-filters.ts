import { parse, stringify } from 'yaml';
import { type JsonMap, managerOf, type Sample, without } from './sample.ts';

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
export const ROUTER = 'envoy.filters.http.router';

/** As Istio names the cluster of a port of the Service. */
const LOG_CLUSTER = 'outbound|18081||tollgate.tollgate.svc.cluster.local';
const CONTEXT = 'GATEWAY';
const NETWORK = { name: 'envoy.filters.network.http_connection_manager' };

interface FilterObject {
  readonly name: string;
  readonly comment: string;
  readonly patches: readonly object[];
}

/** What a gateway of Istio's needs to be the sample, beyond what Istio's own objects can say. */
export function envoyFilters({ envoy, lua }: Sample): string {
  const manager = managerOf(parse(envoy, { merge: false }) as JsonMap);
  const filters = manager['http_filters'] as { name: string; typed_config: JsonMap }[];
  const routeConfig = manager['route_config'] as { virtual_hosts: JsonMap[] };
  const host = routeConfig.virtual_hosts[0]!;
  const context = CONTEXT;
  const network = NETWORK;
  const before = (name: string) => ({
    context,
    listener: { filterChain: { filter: { ...network, subFilter: { name } } } },
  });
  const behind = filters.filter(({ name }) => name !== AUTHZ && name !== ROUTER);
  const authz = filters.find(({ name }) => name === AUTHZ)!;
  const objects: readonly FilterObject[] = [
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

/** The sample's access log as it stands, where Telemetry's is not enough. */
export function accessLogFilter({ envoy }: Sample): string {
  const log = structuredClone(managerOf(parse(envoy, { merge: false }) as JsonMap)['access_log']) as JsonMap[];
  for (const { typed_config: config } of log as { typed_config: JsonMap }[]) {
    const { grpc_service: service } = config['common_config'] as { grpc_service: JsonMap };
    // The cluster's name has characters that an authority must not have.
    service['envoy_grpc'] = { cluster_name: LOG_CLUSTER, authority: LOG_CLUSTER.replaceAll('|', '_.') };
  }
  const manager =
    'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const patch = {
    applyTo: 'NETWORK_FILTER',
    match: { context: CONTEXT, listener: { filterChain: { filter: NETWORK } } },
    patch: { operation: 'MERGE', value: { ...NETWORK, typed_config: { '@type': manager, access_log: log } } },
  };
  return objectText({
    name: 'tollgate-access-log',
    comment: ' Made from envoy/envoy.yaml by `npm run k8s -- --write`: change it there.',
    patches: [patch],
  });
}

function objectText({ name, comment, patches }: FilterObject): string {
  const object = {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name, namespace: 'istio-ingress' },
    spec: { workloadSelector: { labels: { istio: 'ingressgateway' } }, configPatches: patches },
  };
  return `#${comment}\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`;
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
