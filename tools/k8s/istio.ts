/**
 * What Istio makes of the extension providers, and what EnvoyFilters make of that: enough of it to lift them into a bootstrap
 * and to hold the result against the sample.
 * Sources: istio.io/istio pilot/pkg/security/authz/builder/extauthz.go (providers), istio.io/api
 * networking/v1alpha3/envoy_filter.proto (operations).
 */
import { parse } from 'yaml';
import { AUTHZ, ROUTER } from './envoy-filters.ts';
import type { Manifest } from './objects.ts';
import { type Json, type JsonMap, managerOf } from './sample.ts';

export interface MeshConfig {
  readonly extensionProviders: readonly {
    readonly name: string;
    readonly envoyExtAuthzGrpc?: {
      readonly service: string;
      readonly port: number;
      readonly timeout: string;
      readonly failOpen: boolean;
      readonly statusOnError: string;
      readonly includeRequestBodyInCheck: {
        readonly maxRequestBytes: number;
        readonly allowPartialMessage: boolean;
        readonly packAsBytes: boolean;
      };
    };
    readonly envoyHttpAls?: {
      readonly service: string;
      readonly port: number;
      readonly logName: string;
      readonly additionalRequestHeadersToLog: readonly string[];
      readonly additionalResponseHeadersToLog: readonly string[];
    };
  }[];
}

interface Filter {
  readonly name: string;
  readonly typed_config: JsonMap;
}

interface Patch {
  readonly applyTo: string;
  readonly match?: {
    readonly listener?: {
      readonly filterChain?: { readonly filter?: { readonly subFilter?: { readonly name: string } } };
    };
  };
  readonly patch: { readonly operation: string; readonly value: JsonMap };
}

export interface Lift {
  readonly sample: string;
  readonly meshConfig: MeshConfig;
  /** EnvoyFilters, and a Telemetry if the log is its. */
  readonly objects: readonly Manifest[];
}

/**
 * A bootstrap: the sample's listener, routes and clusters, with the connection manager that Istio would have. Throws for a
 * patch that would find nothing, which Istio leaves out silently.
 */
export function istioGateway({ sample, meshConfig, objects }: Lift): JsonMap {
  const root = parse(sample) as JsonMap;
  const manager = managerOf(root);
  const { check, accessLog } = providersOf(meshConfig);
  renameClusters(root, { tollgate_check: check.cluster, tollgate_access_log: accessLog.cluster });
  const [host] = (manager['route_config'] as { virtual_hosts: JsonMap[] }).virtual_hosts;
  for (const key of Object.keys(host!)) if (!['name', 'domains', 'routes'].includes(key)) delete host![key];
  const routeConfig = manager['route_config']!;
  for (const key of Object.keys(manager)) delete manager[key];
  Object.assign(manager, {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'gateway',
    codec_type: 'AUTO',
    access_log: objects.some(({ kind }) => kind === 'Telemetry') ? [accessLog.log] : [],
    http_filters: [check.filter, routerOfIstio()] as unknown as Json,
    route_config: routeConfig,
  });
  const filters = objects.filter(({ kind }) => kind === 'EnvoyFilter');
  for (const { configPatches } of filters.map(({ spec }) => spec as unknown as { configPatches: readonly Patch[] })) {
    for (const patch of configPatches) apply(manager, patch);
  }
  return root;
}

function routerOfIstio(): Filter {
  return {
    name: ROUTER,
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
  };
}

function providersOf({ extensionProviders }: MeshConfig) {
  const check = extensionProviders.find(({ envoyExtAuthzGrpc }) => envoyExtAuthzGrpc !== undefined)?.envoyExtAuthzGrpc;
  const log = extensionProviders.find(({ envoyHttpAls }) => envoyHttpAls !== undefined)?.envoyHttpAls;
  if (check === undefined || log === undefined) throw new Error('expected providers of both kinds in meshconfig.yaml');
  const clusterOf = ({ service, port }: { service: string; port: number }) => `outbound|${port}||${service}`;
  return {
    check: { cluster: clusterOf(check), filter: authzOf(check, clusterOf(check)) },
    accessLog: { cluster: clusterOf(log), log: logOf(log, clusterOf(log)) },
  };
}

type CheckProvider = NonNullable<MeshConfig['extensionProviders'][number]['envoyExtAuthzGrpc']>;
type LogProvider = NonNullable<MeshConfig['extensionProviders'][number]['envoyHttpAls']>;

/** Without `filter_enabled_metadata`, which ties it to the rules of the AuthorizationPolicy. */
function authzOf(provider: CheckProvider, cluster: string): Filter {
  const body = provider.includeRequestBodyInCheck;
  return {
    name: AUTHZ,
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
      transport_api_version: 'V3',
      grpc_service: {
        envoy_grpc: { cluster_name: cluster, authority: cluster.replaceAll('|', '_.') },
        timeout: provider.timeout,
      },
      with_request_body: {
        max_request_bytes: body.maxRequestBytes,
        allow_partial_message: body.allowPartialMessage,
        pack_as_bytes: body.packAsBytes,
      },
      failure_mode_allow: provider.failOpen,
      status_on_error: { code: Number(provider.statusOnError) },
    },
  };
}

function logOf(provider: LogProvider, cluster: string): Json {
  return {
    name: 'envoy.access_loggers.http_grpc',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
      common_config: {
        log_name: provider.logName,
        transport_api_version: 'V3',
        grpc_service: { envoy_grpc: { cluster_name: cluster, authority: cluster.replaceAll('|', '_.') } },
      },
      additional_request_headers_to_log: [...provider.additionalRequestHeadersToLog],
      additional_response_headers_to_log: [...provider.additionalResponseHeadersToLog],
    },
  };
}

function renameClusters(root: JsonMap, names: Readonly<Record<string, string>>): void {
  const { clusters } = root['static_resources'] as { clusters: JsonMap[] };
  for (const cluster of clusters) {
    const name = names[String(cluster['name'])];
    if (name === undefined) continue;
    cluster['name'] = name;
    (cluster['load_assignment'] as JsonMap)['cluster_name'] = name;
  }
}

function apply(manager: JsonMap, { applyTo, match, patch: { operation, value } }: Patch): void {
  const filters = manager['http_filters'] as unknown as Filter[];
  if (applyTo === 'NETWORK_FILTER' && operation === 'MERGE') {
    merge(manager, value['typed_config'] as JsonMap);
  } else if (applyTo === 'VIRTUAL_HOST' && operation === 'MERGE') {
    for (const host of (manager['route_config'] as { virtual_hosts: JsonMap[] }).virtual_hosts) merge(host, value);
  } else if (applyTo === 'HTTP_FILTER') {
    const name = match?.listener?.filterChain?.filter?.subFilter?.name;
    const at = filters.findIndex((filter) => filter.name === name);
    if (at < 0) throw new Error(`a patch is for \`${name}\`, which is not there`);
    if (operation === 'MERGE') merge(filters[at]!.typed_config, value['typed_config'] as JsonMap);
    else if (operation === 'INSERT_BEFORE') filters.splice(at, 0, value as unknown as Filter);
    else throw new Error(`expected \`MERGE\` or \`INSERT_BEFORE\`, found \`${operation}\``);
  } else throw new Error(`a patch of \`${applyTo}\` by \`${operation}\` is not understood here`);
}

/** As messages of protobuf are merged: fields of the second win, lists are joined. */
function merge(into: JsonMap, from: JsonMap): void {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key];
    if (Array.isArray(old) && Array.isArray(value)) into[key] = [...old, ...value];
    else if (isMap(old) && isMap(value)) merge(old, value);
    else into[key] = structuredClone(value);
  }
}

function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
