/** Paths as bytes on a request line, most of them spellings of a listed one. */
import type { Dice } from './dice.ts';

const LISTED = ['/v1/chat/completions', '/v1/messages', '/v1/models'] as const;

const PIECES = [
  ...['/', '//', '/.', '/..', '/./', '/../', '/x/..', '/..;/', ';', ';a=b', '.', '..', '...', '\\', '/\\', '*'],
  ...['%2f', '%2F', '%5c', '%2e', '%2e%2e', '%2E%2e/', '%252f', '%00', '%20', '%3f', '%23', '%', '%g1', '%c0%af'],
  ...[
    '?',
    '?a=b',
    '?/../',
    '#',
    '#/v1/models',
    '\xe9',
    '\xff',
    '\xc3\xa9',
    '\x7f',
    '\t',
    ' ',
    '\0',
    '~',
    ':',
    '@',
    '"',
    '|',
  ],
  ...['v1', 'V1', 'chat', 'completions', 'messages', '/v1/models', 'http://h.example', 'http:', '//h.example'],
] as const;

/** A listed path with none to three damages. Never a line break, which would end the request line. */
export function generatedPath(dice: Dice): string {
  let path: string = dice.of(LISTED);
  for (let left = dice.below(4); left > 0; left--) path = damaged(path, dice);
  return path === '' ? '/' : path;
}

function damaged(path: string, dice: Dice): string {
  const at = dice.below(path.length + 1);
  const until = Math.min(path.length, at + 1);
  const letter = path.slice(at, until);
  switch (dice.below(6)) {
    case 0:
      return path.slice(0, at) + path.slice(until);
    case 1:
      return path.slice(0, at) + escaped(letter) + path.slice(until);
    case 2:
      return path.slice(0, at) + letter.toUpperCase() + path.slice(until);
    case 3:
      return dice.of(PIECES) + path;
    default:
      return path.slice(0, at) + dice.of(PIECES) + path.slice(at);
  }
}

function escaped(letter: string): string {
  return letter === '' ? '' : `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
