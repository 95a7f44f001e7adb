import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { STUB_KEYS } from '../stub/keys.ts';
import { type TollgateTls, tollgateTransport } from './mtls.ts';

const SAMPLE_DIR = fileURLToPath(new URL('../../envoy', import.meta.url));

/** Where something listens: TCP on loopback, or a Unix socket. */
export type Endpoint = { readonly port: number; readonly host?: string } | { readonly path: string };

export const PROVIDERS = ['openai', 'anthropic', 'gemini', 'bedrock', 'azure'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** What demo and tests change of envoy/envoy.yaml. All else is the sample itself. */
export interface BootstrapOptions {
  /** Gateway port on 127.0.0.1; 0 (default): any free one, told by `startEnvoy`. */
  readonly listenPort?: number;
  /** Admin port on 127.0.0.1; 0 (default): any free one. */
  readonly adminPort?: number;
  /** Where Tollgate answers `Check`. */
  readonly check: Endpoint;
  /** Where Tollgate takes access logs; default: the same. */
  readonly accessLog?: Endpoint;
  /** TLS towards Tollgate, as in envoy/mtls.yaml. Default: plain. */
  readonly tls?: TollgateTls;
  readonly providers: Readonly<Record<ProviderName, Endpoint>>;
  /** Retries of the routes that have them; default as in the sample (2, also on 502, 503 and 504). 0: none. */
  readonly retries?: number;
  /** Also logs each upstream attempt, with the decision id. Default false. */
  readonly upstreamLog?: boolean;
  /**
   * How long Envoy waits for a Check, ms, whether Tollgate is there or not. Default as in the sample: 1000 for one that was
   * sent, 5000 for a Tollgate that is not there.
   */
  readonly checkTimeoutMs?: number;
}

/** One place for all providers, but for those that have one of their own. */
export function providersAt(
  endpoint: Endpoint,
  others: Partial<Readonly<Record<ProviderName, Endpoint>>> = {},
): Readonly<Record<ProviderName, Endpoint>> {
  return { openai: endpoint, anthropic: endpoint, gemini: endpoint, bedrock: endpoint, azure: endpoint, ...others };
}

/** Absolute paths that take the place of the sample's relative ones. */
export interface BootstrapFiles {
  readonly editLua: string;
  readonly secrets: Readonly<Record<ProviderName, string>>;
  /** Transport socket of Tollgate's clusters; undefined: plain. */
  readonly transport?: object | undefined;
}

type Node = { [key: string]: Node } | Node[] | string | number | boolean | null;
/** A key, an index, or the element of a list with this `name`. */
type Step = string | number | { readonly name: string };

const MANAGER: readonly Step[] = ['static_resources', 'listeners', 0, 'filter_chains', 0, 'filters', 0, 'typed_config'];
const FIRST_ENDPOINT: readonly Step[] = ['load_assignment', 'endpoints', 0, 'lb_endpoints', 0, 'endpoint'];

/** The sample with these ports, paths and retries, as YAML for `envoy -c`. Throws if the sample lacks what is replaced. */
export function renderBootstrap(sample: string, options: BootstrapOptions, files: BootstrapFiles): string {
  const root = parse(sample) as Node;
  set(root, ['admin', 'address', 'socket_address', 'port_value'], options.adminPort ?? 0);
  set(root, ['static_resources', 'listeners', 0, 'address', 'socket_address', 'port_value'], options.listenPort ?? 0);
  set(root, filter('lua', 'default_source_code', 'filename'), files.editLua);
  if (options.checkTimeoutMs !== undefined) {
    const timeout = `${options.checkTimeoutMs / 1000}s`;
    set(root, filter('ext_authz', 'grpc_service', 'timeout'), timeout);
    set(root, filter('ext_authz', 'grpc_service', 'retry_policy', 'retry_back_off', 'max_interval'), timeout);
  }
  set(root, cluster('tollgate_check', ...FIRST_ENDPOINT, 'address'), address(options.check));
  set(root, cluster('tollgate_access_log', ...FIRST_ENDPOINT, 'address'), address(options.accessLog ?? options.check));
  if (files.transport !== undefined) {
    for (const name of ['tollgate_check', 'tollgate_access_log'])
      (get(root, cluster(name)) as { [key: string]: Node })['transport_socket'] = files.transport as Node;
  }
  for (const provider of PROVIDERS) {
    set(root, cluster(provider, ...FIRST_ENDPOINT, 'address'), address(options.providers[provider]));
    set(root, secretPath(provider), files.secrets[provider]);
  }
  if (options.retries !== undefined) setRetries(root, options.retries);
  if (options.upstreamLog === true) addUpstreamLog(root);
  return stringify(root, { lineWidth: 0 });
}

export interface WriteBootstrapOptions extends BootstrapOptions {
  /** A directory of this run; bootstrap.yaml and the secrets are written into it. */
  readonly dir: string;
  /** What Envoy shows to the providers, where it is not the stub's keys, as in envoy/secrets. */
  readonly keys?: Partial<Readonly<Record<ProviderName, string>>>;
}

/** Writes bootstrap.yaml and one secret file per provider (0600) into `dir`; returns the path of the first. */
export async function writeBootstrap(options: WriteBootstrapOptions): Promise<string> {
  const secretsDir = join(options.dir, 'secrets');
  await mkdir(secretsDir, { recursive: true, mode: 0o700 });
  const keys = { ...STUB_KEYS, ...options.keys };
  const secrets = {
    openai: await writeSecret(join(secretsDir, 'openai.yaml'), 'openai', `Bearer ${keys.openai}`),
    anthropic: await writeSecret(join(secretsDir, 'anthropic.yaml'), 'anthropic', keys.anthropic),
    gemini: await writeSecret(join(secretsDir, 'gemini.yaml'), 'gemini', keys.gemini),
    bedrock: await writeSecret(join(secretsDir, 'bedrock.yaml'), 'bedrock', `Bearer ${keys.bedrock}`),
    azure: await writeSecret(join(secretsDir, 'azure.yaml'), 'azure', keys.azure),
  };
  const sample = await readFile(join(SAMPLE_DIR, 'envoy.yaml'), 'utf8');
  const path = join(options.dir, 'bootstrap.yaml');
  const transport = options.tls === undefined ? undefined : await tollgateTransport(options.dir, options.tls);
  await writeFile(
    path,
    renderBootstrap(sample, options, { editLua: join(SAMPLE_DIR, 'edit.lua'), secrets, transport }),
  );
  return path;
}

async function writeSecret(path: string, name: ProviderName, value: string): Promise<string> {
  const secret = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    name,
    generic_secret: { secret: { inline_string: value } },
  };
  await writeFile(path, stringify({ resources: [secret] }), { mode: 0o600 });
  await chmod(path, 0o600);
  return path;
}

function filter(name: string, ...rest: readonly Step[]): Step[] {
  return [...MANAGER, 'http_filters', { name: `envoy.filters.http.${name}` }, 'typed_config', ...rest];
}

function cluster(name: string, ...rest: readonly Step[]): Step[] {
  return ['static_resources', 'clusters', { name }, ...rest];
}

function secretPath(provider: ProviderName): Step[] {
  const options = ['typed_extension_protocol_options', 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'];
  const injector = ['http_filters', { name: 'envoy.filters.http.credential_injector' }, 'typed_config'];
  const source = ['credential', 'typed_config', 'credential', 'sds_config', 'path_config_source', 'path'];
  return cluster(provider, ...options, ...injector, ...source);
}

function address(endpoint: Endpoint): Node {
  if ('path' in endpoint) return { pipe: { path: endpoint.path } };
  return { socket_address: { address: endpoint.host ?? '127.0.0.1', port_value: endpoint.port } };
}

function setRetries(root: Node, retries: number): void {
  const routes = get(root, [...MANAGER, 'route_config', 'virtual_hosts', 0, 'routes']) as Node[];
  for (const route of routes) {
    if (child(route, 'route') === undefined || child(get(route, ['route']), 'retry_policy') === undefined) continue;
    if (retries === 0) remove(route, ['route', 'retry_policy']);
    else set(route, ['route', 'retry_policy', 'num_retries'], retries);
  }
}

function addUpstreamLog(root: Node): void {
  const logger = get(root, [...MANAGER, 'access_log', 0]) as { [key: string]: Node };
  const attempts = structuredClone(logger);
  // Entries of attempts carry no dynamic metadata to filter on.
  delete attempts['filter'];
  const router = get(root, filter('router')) as { [key: string]: Node };
  router['upstream_log'] = [attempts];
}

function get(root: Node, path: readonly Step[]): Node {
  let node: Node | undefined = root;
  for (const step of path) {
    node = child(node, step);
    if (node === undefined) throw new Error(`the sample has no \`${path.map(show).join('.')}\``);
  }
  return node;
}

function child(node: Node, step: Step): Node | undefined {
  if (node === null || typeof node !== 'object') return undefined;
  if (Array.isArray(node)) {
    if (typeof step === 'number') return node[step];
    return node.find((element) => typeof step === 'object' && child(element, 'name') === step.name);
  }
  return typeof step === 'string' ? node[step] : undefined;
}

function set(root: Node, path: readonly Step[], value: Node): void {
  get(root, path);
  (get(root, path.slice(0, -1)) as { [key: string]: Node })[path.at(-1) as string] = value;
}

function remove(root: Node, path: readonly Step[]): void {
  get(root, path);
  delete (get(root, path.slice(0, -1)) as { [key: string]: Node })[path.at(-1) as string];
}

function show(step: Step): string {
  return typeof step === 'object' ? step.name : String(step);
}
