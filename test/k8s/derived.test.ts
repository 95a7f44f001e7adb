/** What k8s/ takes from envoy/ is the sample, but for the differences that are named here. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { derivedFaults, derivedTexts } from '../../tools/k8s/derive.ts';
import { istioGateway } from '../../tools/k8s/istio.ts';
import { type Manifest, parseManifests } from '../../tools/k8s/objects.ts';
import { readMeshConfig } from '../../tools/k8s/overlay.ts';
import { type JsonMap, managerOf, readSample } from '../../tools/k8s/sample.ts';
import { ROOT } from '../support/process.ts';

const sample = await readSample(ROOT);
const texts = derivedTexts(sample);
const ISTIO = join(ROOT, 'k8s', 'overlays', 'istio');

/** Paths at which two parsed documents differ; elements of lists that have names go by them. */
function differences(one: unknown, other: unknown, path = ''): string[] {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return Object.is(one, other) ? [] : [path];
  }
  const [left, right] = [entriesOf(one), entriesOf(other)];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) =>
    differences(left.get(key), right.get(key), `${path}/${key}`),
  );
}

function entriesOf(node: object): ReadonlyMap<string, unknown> {
  if (!Array.isArray(node)) return new Map(Object.entries(node));
  return new Map(
    node.map((item: unknown, index) => {
      const name = typeof item === 'object' && item !== null && 'name' in item ? item.name : index;
      return [String(name), item];
    }),
  );
}

const FILTERS = 'k8s/overlays/istio/envoy-filters.yaml';
const TELEMETRY: Manifest = { apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry', metadata: { name: 'tollgate' } };

/** The connection manager of an Istio gateway with these objects. */
async function lifted(...objects: readonly Manifest[]): Promise<JsonMap> {
  return managerOf(istioGateway({ sample: sample.envoy, meshConfig: (await readMeshConfig(ISTIO))!, objects }));
}

function filtersOf(path: string): readonly Manifest[] {
  return parseManifests(texts.get(path)!);
}

const AUTHZ = '/http_filters/envoy.filters.http.ext_authz/typed_config';
const LUA = '/http_filters/envoy.filters.http.lua/typed_config/default_source_code';
const LOG = '/access_log/envoy.access_loggers.http_grpc';
const LOG_CONFIG = `${LOG}/typed_config/common_config`;
/** Clusters by Istio's names, a status by its number, the script inside. */
const OF_ISTIO = [
  `${AUTHZ}/grpc_service/envoy_grpc/cluster_name`,
  `${AUTHZ}/grpc_service/envoy_grpc/authority`,
  `${AUTHZ}/status_on_error/code`,
  `${LUA}/filename`,
  `${LUA}/inline_string`,
  `${LOG_CONFIG}/grpc_service/envoy_grpc/cluster_name`,
  `${LOG_CONFIG}/grpc_service/envoy_grpc/authority`,
];

describe('derived files', () => {
  test('are what they would be made as now', async () => {
    assert.deepEqual(await derivedFaults(ROOT), []);
  });

  test('the gateway of the pod differs from the sample where it must', () => {
    const gateway = parse(texts.get('k8s/components/envoy/envoy.yaml')!);
    const clusters = '/static_resources/clusters';
    const manager =
      '/static_resources/listeners/gateway/filter_chains/0/filters/envoy.filters.network.http_connection_manager/typed_config';
    const routes = `${manager}/route_config/virtual_hosts/gateway/routes`;
    const injector = (name: string) =>
      `${clusters}/${name}/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/http_filters/envoy.filters.http.credential_injector/typed_config/credential/typed_config/credential/sds_config/path_config_source`;
    const endpoint = (name: string) =>
      `${clusters}/${name}/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address`;
    const provider = (name: string) => [
      `${clusters}/${name}/type`,
      `${clusters}/${name}/dns_lookup_family`,
      `${clusters}/${name}/transport_socket`,
      `${endpoint(name)}/socket_address/address`,
      `${endpoint(name)}/socket_address/port_value`,
      `${injector(name)}/path`,
      `${injector(name)}/watched_directory`,
    ];
    const tollgate = (name: string) => [`${endpoint(name)}/socket_address`, `${endpoint(name)}/pipe`];
    const kept = ['chat', 'messages', 'responses', 'completions', 'embeddings', 'models'];
    const gone = ['gemini', 'bedrock', 'azure'];
    assert.deepEqual(
      differences(parse(sample.envoy), gateway).toSorted(),
      [
        '/node/id',
        '/static_resources/listeners/gateway/address/socket_address/address',
        '/static_resources/listeners/health',
        `${manager}/http_filters/envoy.filters.http.lua/typed_config/default_source_code/filename`,
        ...kept.map((name) => `${routes}/${name}/route/host_rewrite_literal`),
        ...gone.flatMap((name) => [`${routes}/${name}`, `${clusters}/${name}`]),
        ...['tollgate_check', 'tollgate_access_log'].flatMap(tollgate),
        ...['openai', 'anthropic'].flatMap(provider),
      ].toSorted(),
    );
  });

  test('an Istio gateway with the providers and the EnvoyFilters is the sample, but for the log of Telemetry', async () => {
    const [ours, istios] = [managerOf(parse(sample.envoy)), await lifted(TELEMETRY, ...filtersOf(FILTERS))];
    // What envoyHttpAls cannot say: docs/kubernetes.md has what follows.
    const unsaid = [
      `${LOG}/filter`,
      `${LOG_CONFIG}/buffer_flush_interval`,
      `${LOG_CONFIG}/buffer_size_bytes`,
      `${LOG_CONFIG}/grpc_stream_retry_policy`,
    ];
    assert.deepEqual(differences(ours, istios).toSorted(), [...OF_ISTIO, ...unsaid].toSorted());
    const filters = (manager: JsonMap) => (manager['http_filters'] as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(filters(istios), filters(ours));
    assert.match(JSON.stringify(istios), /"status_on_error":\{"code":503\}/);
  });

  test('and with the component for the log it is the sample', async () => {
    const log = filtersOf('k8s/components/istio-access-log/envoy-filter.yaml');
    const istios = await lifted(...filtersOf(FILTERS), ...log);
    assert.deepEqual(differences(managerOf(parse(sample.envoy)), istios).toSorted(), OF_ISTIO.toSorted());
  });

  test('a patch that finds nothing is an error, for Istio would leave it out', async () => {
    const text = texts.get(FILTERS)!.replaceAll('name: envoy.filters.http.router', 'name: gone');
    await assert.rejects(lifted(...parseManifests(text)), /a patch is for `gone`, which is not there/);
  });

  test('tollgate is reached under the same names in sockets, providers and services', async () => {
    const settings = parse(await readFile(join(ROOT, 'k8s/components/envoy/tollgate.yaml'), 'utf8'));
    const { clusters } = parse(texts.get('k8s/components/envoy/envoy.yaml')!).static_resources as {
      clusters: JsonMap[];
    };
    const pipes = clusters.flatMap((cluster) => /"pipe":\{"path":"([^"]+)"/.exec(JSON.stringify(cluster))?.[1] ?? []);
    assert.deepEqual(
      pipes,
      [settings.listen.check, settings.listen.access_log].map((at) => at.slice('unix:'.length)),
    );
    const providers = (await readMeshConfig(ISTIO))!.extensionProviders;
    const ports = providers.map((each) => (each.envoyExtAuthzGrpc ?? each.envoyHttpAls)?.port);
    const istio = parse(await readFile(join(ISTIO, 'tollgate.yaml'), 'utf8'));
    assert.deepEqual(
      [istio.listen.check, istio.listen.access_log],
      ports.map((port) => `127.0.0.1:${port}`),
    );
    assert.deepEqual(Object.keys(istio), Object.keys(settings));
  });
});
