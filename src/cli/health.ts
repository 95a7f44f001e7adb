/**
 * `tollgate health`: asks the admin port of this machine whether it lives, or is ready. For probes that run a command, every
 * few seconds: it reads one key of one file and loads little; `node …/health.js` loads nothing else.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { isAbsolute, join, resolve } from 'node:path';
import { Command } from 'commander';
import { parse } from 'yaml';
import { TollgateError } from '../core/errors.ts';
import { ADMIN_ADDRESS, type Endpoint, parseEndpoint } from '../policy/endpoint.ts';

interface HealthOptions {
  readonly config?: string;
  readonly admin?: string;
  readonly live?: boolean;
}

/** The loop of a process that is under load answers later than usual, and lives. */
const ANSWER_MS = 2_000;
const ANSWER_BYTES_MAX = 4_096;

export function healthCommand(): Command {
  return new Command('health')
    .description('whether the process on this machine is ready, or lives; for probes')
    .option('--config <dir>', 'directory of tollgate.yaml, which says where the admin port is')
    .option('--admin <address>', `the admin port, instead, like ${ADMIN_ADDRESS} or unix:/run/tollgate/admin.sock`)
    .option('--live', 'whether it lives, whatever it is ready for')
    .addHelpText(
      'after',
      '\nExit codes: 0 it is, 1 it is not, or does not answer within 2 s, 2 wrong usage.\n\nExample:\n  tollgate health --config ./bundle --live',
    )
    .action(health);
}

async function health(options: HealthOptions): Promise<void> {
  const path = options.live === true ? '/livez' : '/readyz';
  const { status, text } = await ask(endpointOf(options), path);
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  if (status !== 200) process.exitCode = 1;
}

function endpointOf({ config, admin }: HealthOptions): Endpoint {
  if ((config === undefined) === (admin === undefined)) {
    throw new TollgateError('usage', 'exactly one of `--config DIR` and `--admin ADDRESS` is needed');
  }
  const endpoint = parseEndpoint(admin ?? writtenIn(config!));
  if (endpoint === undefined)
    throw new TollgateError('usage', `expected an address like \`${ADMIN_ADDRESS}\` of the admin port`);
  if (endpoint.kind === 'tcp' || isAbsolute(endpoint.path)) return endpoint;
  return { ...endpoint, path: resolve(config ?? '.', endpoint.path) };
}

/** `listen.admin` of tollgate.yaml or tollgate.json: JSON is YAML. What else is in it is `tollgate check`'s. */
function writtenIn(config: string): string {
  const file = ['tollgate.yaml', 'tollgate.json'].map((name) => join(config, name)).find(isThere);
  if (file === undefined) return ADMIN_ADDRESS;
  const written = parse(readFileSync(file, 'utf8'), { maxAliasCount: 0 }) as {
    listen?: { admin?: unknown };
    tls?: { admin?: unknown };
  } | null;
  if (written?.tls?.admin !== undefined) {
    throw new TollgateError(
      'usage',
      'the admin port asks for certificates; probe gRPC health, or let it listen on a socket',
    );
  }
  const admin = written?.listen?.admin ?? ADMIN_ADDRESS;
  if (admin === 'off') throw new TollgateError('usage', 'there is no admin port: `listen.admin` is `off`');
  return String(admin);
}

function isThere(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

function ask(endpoint: Endpoint, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const where =
    endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: reachable(endpoint.host), port: endpoint.port };
  return new Promise((done, fail) => {
    const call = request({ ...where, path, headers: { host: 'localhost' }, timeout: ANSWER_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text = (text + part).slice(0, ANSWER_BYTES_MAX);
      });
      response.on('end', () => done({ status: response.statusCode ?? 0, text }));
    });
    const late = setTimeout(() => call.destroy(new Error('late')), ANSWER_MS);
    call.on('timeout', () => call.destroy(new Error('late')));
    call.on('close', () => clearTimeout(late));
    call.on('error', (cause) => {
      fail(new TollgateError('not_found', `the admin port does not answer: is \`tollgate serve\` running?`, { cause }));
    });
    call.end();
  });
}

/** A port on all addresses answers on loopback too. */
function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
}

if (import.meta.main) {
  try {
    await healthCommand().parseAsync();
  } catch (error) {
    process.stderr.write(`tollgate: ${error instanceof Error ? error.message : 'failed'}\n`);
    process.exitCode = error instanceof TollgateError && error.code === 'usage' ? 2 : 1;
  }
}
