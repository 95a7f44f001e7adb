/** The settings in force as the admin port shows them: files of secrets by their paths, tokens by eight digits of a hash. */
import { type KnownToken, tokenDigits } from '../../admin/tokens.ts';
import { endpointText } from '../../policy/endpoint.ts';
import type { Settings } from '../../policy/settings.ts';

export function configView(settings: Settings, tokens: readonly KnownToken[]): unknown {
  const { listen, admin, ...rest } = settings;
  const roles = [...admin.roles].map(([role, proofs]) => {
    const held = tokens.filter((token) => token.role === role);
    const hashes = held.map(({ digest }) => `sha256:${tokenDigits(digest)}`);
    return [role, { ...proofs, tokens: hashes }] as const;
  });
  return {
    listen: {
      check: endpointText(listen.check),
      access_log: endpointText(listen.accessLog),
      admin: listen.admin === undefined ? 'off' : endpointText(listen.admin),
    },
    admin: { hosts: admin.hosts, roles: Object.fromEntries(roles) },
    ...(plain(rest) as object),
  };
}

/** Maps and sets as JSON has them. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, each]) => [name, plain(each)]));
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}
