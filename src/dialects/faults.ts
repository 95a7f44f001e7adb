/** Words for the author of a bad body: where, what was expected, what was found. */
import type { BodyFault } from './dialect.ts';
import { DEPTH_MAX, type Due, KEYS_MAX, type ScanStop, VALUES_MAX } from './scanner.ts';

const EXPECTED = {
  bom: 'expected JSON in UTF-8 without a byte order mark',
  colon: 'expected `:` after the key',
  comma_or_brace: 'expected `,` or `}`',
  comma_or_bracket: 'expected `,` or `]`',
  depth: `expected at most ${DEPTH_MAX} levels of nesting`,
  digit: 'expected a digit',
  end: 'expected the end of the body',
  escape: 'expected an escape of JSON',
  key: 'expected a key in double quotes',
  keys: `expected at most ${KEYS_MAX} keys`,
  refused: 'expected another key',
  root: 'expected a JSON object',
  string_character: 'expected a character of a string or its closing quote',
  utf8: 'expected valid UTF-8',
  value: 'expected a JSON value',
  values: `expected at most ${VALUES_MAX} values`,
} satisfies Record<Due, string>;

/** The fault of a body that is not JSON as we read it. */
export function scanFault(body: Uint8Array, { due, at }: ScanStop): BodyFault {
  if (due === 'depth' || due === 'keys' || due === 'values') {
    return { reason: 'body_too_deep', message: `${EXPECTED[due]}, found more at byte ${at}` };
  }
  if (due === 'utf8') return { reason: 'body_malformed', message: `${EXPECTED.utf8}, found bytes that are not` };
  if (due === 'bom') return { reason: 'body_malformed', message: `${EXPECTED.bom}, found one` };
  return { reason: 'body_malformed', message: `${EXPECTED[due]}, found ${foundAt(body, at)}` };
}

function foundAt(body: Uint8Array, at: number): string {
  if (at >= body.length) return body.length === 0 ? 'an empty body' : 'the end of the body';
  const byte = body[at]!;
  const shown = byte > 0x20 && byte < 0x7f && byte !== 0x60 ? `\`${String.fromCharCode(byte)}\`` : hexOf(byte);
  return `${shown} at byte ${at}`;
}

function hexOf(byte: number): string {
  return `\`0x${byte.toString(16).padStart(2, '0')}\``;
}

const SHOWN_MAX = 40;
/** As many bytes of a text are shown as all of it: its first characters, and that there are more. */
export const SHOWN_BYTES: number = SHOWN_MAX * 4;

/** A piece of the body as a message may show it: printable ASCII, at most 40 characters, in backticks. */
export function shown(text: string): string {
  const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
  const safe = cut.replace(
    /[^\x20-\x5f\x61-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `\`${safe}\``;
}
