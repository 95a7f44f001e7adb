/** Files of secrets that tollgate.yaml names: looked at when the bundle is judged, never read. */
import { stat } from 'node:fs/promises';
import { systemCodeOf } from '../core/errors.ts';

/** Nothing for others, nothing but reading for the group: 0640 or stricter. */
const SECRET_MODE_FORBIDDEN = 0o137;

/** What is wrong with a file of a secret, in words for "found …"; undefined: nothing. `remedy`: for one that is not there. */
export async function secretFileFault(
  file: string,
  { bytesMin, bytesMax, remedy }: { readonly bytesMin: number; readonly bytesMax: number; readonly remedy?: string },
): Promise<string | undefined> {
  try {
    const found = await stat(file);
    if (!found.isFile()) return 'no file';
    const { mode, size } = found;
    if ((mode & SECRET_MODE_FORBIDDEN) !== 0) return `mode 0${(mode & 0o777).toString(8)}`;
    return size < bytesMin || size > bytesMax ? `${size} bytes` : undefined;
  } catch (cause) {
    const code = systemCodeOf(cause) ?? 'unknown error';
    if (code !== 'ENOENT') return `nothing that can be read (${code})`;
    return remedy === undefined ? 'no such file' : `no such file; ${remedy}`;
  }
}
