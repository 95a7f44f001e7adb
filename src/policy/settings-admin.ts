/** tollgate.yaml's `listen.admin`, `admin` and `audit`: the port for people and scrapers, who may use it, what it leaves behind. */
import * as z from 'zod';
import { ADMIN_ROLES, type AdminRole, TOKEN_CHARS_MAX, TOKEN_CHARS_MIN } from '../core/admin-role.ts';
import {
  ADMIN_ADDRESS,
  ENDPOINT,
  type Endpoint,
  endpointText,
  isLocal,
  parseEndpoint,
  SOCKET_PATH_BYTES_MAX,
} from './endpoint.ts';
import { checked, list, text } from './forms.ts';
import { type Problems, show } from './problem.ts';
import { secretFileFault } from './secret-file.ts';
import type { Source } from './source.ts';

/** How a role is proved: by any of these. */
export interface RoleProofs {
  /** File of one token, or of two, a line each, while they are changed. */
  readonly token: string | undefined;
  /** Names in client certificates, exact. */
  readonly names: readonly string[];
}

export interface AdminSettings {
  /** Names besides `localhost` and loopback addresses by which it may be called, lower-case, without a port. */
  readonly hosts: readonly string[];
  /** Empty: nobody may do more than ask whether it lives. */
  readonly roles: ReadonlyMap<AdminRole, RoleProofs>;
}

const HOST = '[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?';
const CERTIFICATE_NAME = '[A-Za-z0-9][A-Za-z0-9._:/@*+-]{0,254}';

const fileName = z.string().min(1).max(1024).describe('the path of a file');
const proofs = z.strictObject({
  token: fileName.optional(),
  names: list(
    text(new RegExp(`^${CERTIFICATE_NAME}$`), 'a name in a certificate like `spiffe://acme/ops`'),
    'names in certificates like `spiffe://acme/ops`',
  ).optional(),
});

/** `listen.admin`. */
export const listenAdmin = checked(
  (value) => (value === 'off' ? value : parseEndpoint(value)),
  'an address like `127.0.0.1:18082` or `unix:run/admin.sock`, or `off`',
  new RegExp(`^off$|${ENDPOINT.source}`),
);

export const adminSchema = z.strictObject({
  hosts: list(
    text(new RegExp(`^${HOST}$`), 'a host like `tollgate.internal`'),
    'hosts like `tollgate.internal`',
  ).optional(),
  roles: z
    .strictObject({
      security: proofs.optional(),
      finance: proofs.optional(),
      platform: proofs.optional(),
      viewer: proofs.optional(),
      metrics: proofs.optional(),
    } satisfies Record<AdminRole, unknown>)
    .optional(),
});
type AdminFile = z.infer<typeof adminSchema>;

export const auditSchema = z.strictObject({ path: fileName.optional() });

const ADMIN = parseEndpoint(ADMIN_ADDRESS)!;

/** Two tokens, each with at most two `=` of padding and the end of its line. */
const TOKEN_BYTES_MAX = 2 * (TOKEN_CHARS_MAX + 4);
/** What a file of tokens may hold, for `secretFileFault`. */
export const TOKEN_FILE = { bytesMin: TOKEN_CHARS_MIN, bytesMax: TOKEN_BYTES_MAX } as const;

/** Where the admin port listens; undefined: nowhere. `below`: makes a path absolute. */
export function listenAdminOf(written: string | undefined, below: (path: string) => string): Endpoint | undefined {
  if (written === 'off') return undefined;
  const endpoint = (written === undefined ? undefined : parseEndpoint(written)) ?? ADMIN;
  return Object.freeze(endpoint.kind === 'unix' ? { ...endpoint, path: below(endpoint.path) } : endpoint);
}

export function adminOf(data: AdminFile | undefined, below: (path: string) => string): AdminSettings {
  const roles = new Map<AdminRole, RoleProofs>();
  for (const role of ADMIN_ROLES) {
    const written = data?.roles?.[role];
    if (written === undefined) continue;
    const token = written.token === undefined ? undefined : below(written.token);
    roles.set(role, Object.freeze({ token, names: Object.freeze([...(written.names ?? [])]) }));
  }
  return Object.freeze({ hosts: Object.freeze((data?.hosts ?? []).map((host) => host.toLowerCase())), roles });
}

export interface AdminLint {
  readonly listen: Endpoint | undefined;
  /** The other servers. */
  readonly others: readonly Endpoint[];
  readonly admin: AdminSettings;
  readonly plainListen: boolean;
  /** Names that `tls.admin` lets in; undefined: the port asks for no certificates. */
  readonly tlsNames: readonly string[] | undefined;
}

/** An admin port that others can reach proves who asks; files of tokens are there and closed to others. */
export async function lintAdmin(lint: AdminLint, source: Source, problems: Problems): Promise<void> {
  lintAddress(lint, source, problems);
  for (const [role, { token, names }] of lint.admin.roles) {
    const path = ['admin', 'roles', role];
    if (token === undefined && names.length === 0) {
      problems.report('value-wrong', source.at(path), { expected: '`token` or `names`', found: 'neither' });
    }
    lintNames(names, { path: [...path, 'names'], tlsNames: lint.tlsNames }, source, problems);
    if (token === undefined) continue;
    const remedy = 'make one of 32 characters or more, closed to others';
    const found = await secretFileFault(token, { ...TOKEN_FILE, remedy });
    if (found === undefined) continue;
    problems.report('secret-file', source.at([...path, 'token']), {
      expected: 'a readable file of one or two tokens of 32 to 256 characters with mode 0640 or stricter',
      found,
    });
  }
}

function lintNames(
  names: readonly string[],
  { path, tlsNames }: { readonly path: readonly string[] } & Pick<AdminLint, 'tlsNames'>,
  source: Source,
  problems: Problems,
): void {
  if (names.length > 0 && tlsNames === undefined) {
    problems.report('value-wrong', source.at(path), {
      text: 'names stand in client certificates, which the admin port does not ask for without `tls.admin`',
    });
    return;
  }
  for (const [index, name] of names.entries()) {
    if (tlsNames?.includes(name)) continue;
    const expected = 'a name that `tls.admin.names` lets in';
    problems.report('value-wrong', source.at([...path, index]), { expected, found: show(name) });
  }
}

function lintAddress(
  { listen, others, admin, plainListen, tlsNames }: AdminLint,
  source: Source,
  problems: Problems,
): void {
  if (listen === undefined) return;
  const at = source.at(['listen', 'admin']);
  if (listen.kind === 'unix' && Buffer.byteLength(listen.path) > SOCKET_PATH_BYTES_MAX) {
    const expected = `a socket whose absolute path has at most ${SOCKET_PATH_BYTES_MAX} bytes`;
    problems.report('setting-range', at, { expected, found: 'a longer one' });
  }
  const isFree = listen.kind === 'tcp' && listen.port === 0;
  if (!isFree && others.some((other) => endpointText(other) === endpointText(listen))) {
    problems.report('value-wrong', at, { text: 'the admin port needs an address of its own' });
  }
  if (isLocal(listen)) return;
  const found = show(endpointText(listen));
  const isProved = [...admin.roles.values()].some(({ token, names }) => token !== undefined || names.length > 0);
  if (!isProved) {
    const expected = 'a loopback address or a Unix socket; beyond them `admin.roles` must say who may use it';
    problems.report('listen-exposed', at, { expected, found });
  } else if (tlsNames === undefined && !plainListen) {
    const expected =
      'a loopback address or a Unix socket; beyond them `tls.admin`, or `plain_listen: true` where tokens may be read on the way';
    problems.report('listen-exposed', at, { expected, found });
  }
}
