import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';

const SAMPLE_DIR = fileURLToPath(new URL('../../envoy', import.meta.url));

/** How Envoy proves itself to Tollgate, and whom it takes for Tollgate. PEM files. */
export interface TollgateTls {
  /** Directory of tls.crt, tls.key and ca.crt, as a secret is mounted. */
  readonly dir: string;
  /** DNS name that Tollgate's certificate must have. */
  readonly name: string;
  /** Without: Envoy shows no certificate. Default: it shows that of `dir`. */
  readonly certificate?: false;
  /** Default TLSv1_3, as in the sample. */
  readonly version?: 'TLSv1_2';
}

/** What is replaced of envoy/mtls.yaml. */
interface UpstreamTls {
  typed_config: {
    common_tls_context: {
      tls_params: Record<string, string>;
      tls_certificate_sds_secret_configs?: [{ sds_config: { path_config_source: { path: string } } }];
      validation_context: {
        trusted_ca: { filename: string };
        match_typed_subject_alt_names: [{ matcher: { exact: string } }];
      };
    };
  };
}

/** The transport socket of envoy/mtls.yaml with these files and names; writes envoy/mtls-client.yaml so into `dir`. */
export async function tollgateTransport(dir: string, tls: TollgateTls): Promise<object> {
  const sample = parse(await readFile(join(SAMPLE_DIR, 'mtls.yaml'), 'utf8')) as { transport_socket: UpstreamTls };
  const { common_tls_context: context } = sample.transport_socket.typed_config;
  context.validation_context.trusted_ca.filename = join(tls.dir, 'ca.crt');
  context.validation_context.match_typed_subject_alt_names[0].matcher.exact = tls.name;
  if (tls.version !== undefined) {
    for (const bound of Object.keys(context.tls_params)) context.tls_params[bound] = tls.version;
  }
  if (tls.certificate === false) delete context.tls_certificate_sds_secret_configs;
  else {
    const path = join(dir, 'mtls-client.yaml');
    context.tls_certificate_sds_secret_configs![0].sds_config.path_config_source.path = path;
    await writeFile(path, await clientSecret(tls.dir));
  }
  return sample.transport_socket;
}

async function clientSecret(dir: string): Promise<string> {
  const sample = parse(await readFile(join(SAMPLE_DIR, 'mtls-client.yaml'), 'utf8')) as {
    resources: [{ tls_certificate: Record<string, Record<string, string>> }];
  };
  Object.assign(sample.resources[0].tls_certificate, {
    certificate_chain: { filename: join(dir, 'tls.crt') },
    private_key: { filename: join(dir, 'tls.key') },
    watched_directory: { path: dir },
  });
  return stringify(sample, { lineWidth: 0 });
}
