/** Values for headers that Envoy writes for us; some carry what a client said. */

/** Bytes of a header value that holds a client's words. Longer is cut. */
const CLIENT_TEXT_MAX = 256;

/** A client's text as a header value: visible ASCII and spaces only (no CR, LF, NUL, nothing beyond ASCII), at most 256 bytes. */
export function clientText(text: string): string {
  return text
    .slice(0, 4 * CLIENT_TEXT_MAX)
    .replace(/[^\x20-\x7e]/g, '')
    .slice(0, CLIENT_TEXT_MAX)
    .trim();
}

/** An sf-string (RFC 9651 section 3.3.3) of text that is visible ASCII. */
export function quoted(text: string): string {
  return `"${clientText(text).replace(/[\\"]/g, '\\$&')}"`;
}
