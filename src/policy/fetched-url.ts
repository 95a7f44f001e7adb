/** URLs that the process itself asks: of key sets, of a collector. Only the bundle names them, and not every host may be one. */
import { BlockList, isIP } from 'node:net';

/**
 * Where machines ask for their own credentials (RFC 3927 and RFC 4291 link-local, the unique local fd00::/8 that clouds use,
 * and the names of such services): nobody's keys, and nobody's collector.
 */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addAddress('100.100.100.200', 'ipv4');
FORBIDDEN.addAddress('168.63.129.16', 'ipv4');
FORBIDDEN.addSubnet('0.0.0.0', 8, 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addSubnet('fd00::', 8, 'ipv6');
const FORBIDDEN_NAMES =
  /^(?:metadata|instance-data|metadata\.google\.internal|metadata\.goog|instance-data\.ec2\.internal)$/;

/** Whether the host of `url` may be asked. An address counts however it is written (decimal, hex, octal), a name with or without its final dot. */
export function mayBeFetched(url: string): boolean {
  const host = URL.parse(url)
    ?.hostname.replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  if (host === undefined || host === '') return false;
  const family = isIP(host);
  if (family === 0) return !FORBIDDEN_NAMES.test(host);
  return !FORBIDDEN.check(host, family === 6 ? 'ipv6' : 'ipv4');
}
