/** Whether a file was written to its end: a YAML file that was cut off may be a valid one that says less. */
import type { BundleFile } from '../directory.ts';
import { type Problems, topOf } from '../problem.ts';

const LINE_FEED = 0x0a;
/** YAML's end of a document, on the last line. */
const END_MARKER = /(?:^|\n)\.\.\.[ \t]*\r?\n$/;
const TAIL_BYTES = 16;

/** YAML files that end with the marker `...`. */
export function markedFiles(files: readonly BundleFile[]): readonly string[] {
  return files.filter(isMarked).map(({ file }) => file);
}

/**
 * Every YAML file ends with a line feed, so that no value is cut; one that ended with `...` before (`marked`) ends so
 * again, so that no line is missing. JSON that was cut off is none.
 */
export function lintFinished(files: readonly BundleFile[], marked: ReadonlySet<string>, problems: Problems): void {
  for (const each of files) {
    const { file, bytes } = each;
    if (bytes.length === 0 || file.endsWith('.json')) continue;
    const at = { ...topOf(file), line: bytes.toString('latin1').split('\n').length };
    if (bytes.at(-1) !== LINE_FEED) {
      problems.report('file-unfinished', at, {
        text: 'expected a line feed at the end: without it the file may be half written',
      });
    } else if (marked.has(file) && !isMarked(each)) {
      problems.report('file-unfinished', at, {
        text: 'expected the marker `...` on the last line, as before: without it the file may be half written',
      });
    }
  }
}

function isMarked({ file, bytes }: BundleFile): boolean {
  return !file.endsWith('.json') && END_MARKER.test(bytes.subarray(-TAIL_BYTES).toString('latin1'));
}
