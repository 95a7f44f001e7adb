/** What makes a stream of an OpenAI-like API report usage: `stream_options.include_usage`. */
import type { BodyReader } from './body-reader.ts';
import { type BodyFault, type Edit, isFault } from './dialect.ts';
import { objectFault, readFlag } from './facts.ts';
import { ABSENT, NULL } from './scanner.ts';

const MEMBER = '"include_usage":true';

/** Whether a stream of this body reports usage as it is, and the edit without which it does not. */
export interface StreamUsage {
  readonly reportsUsage: boolean;
  readonly usageEdit: Edit | undefined;
}

const REPORTS: StreamUsage = { reportsUsage: true, usageEdit: undefined };

/** Reads `stream_options` of a body whose `stream` is `stream`; answers that are no streams report by themselves. */
export function readStreamUsage(reader: BodyReader, stream: boolean): StreamUsage | BodyFault {
  const options = objectFault(reader, 'stream_options');
  if (options !== undefined) return options;
  const includes = readFlag(reader, 'include_usage');
  if (isFault(includes)) return includes;
  if (!stream || includes === true) return REPORTS;
  return { reportsUsage: false, usageEdit: usageEdit(reader) };
}

/** Inserts after `stream`, which a stream's body always has and no other edit touches. */
function usageEdit(reader: BodyReader): Edit {
  const options = reader.kind('stream_options');
  if (options === ABSENT) {
    return { offset: reader.end('stream'), length: 0, text: `,"stream_options":{${MEMBER}}` };
  }
  if (options === NULL) {
    const offset = reader.start('stream_options');
    return { offset, length: reader.end('stream_options') - offset, text: `{${MEMBER}}` };
  }
  if (reader.kind('include_usage') !== ABSENT) {
    const offset = reader.start('include_usage');
    return { offset, length: reader.end('include_usage') - offset, text: 'true' };
  }
  const inside = reader.start('stream_options') + 1;
  return { offset: inside, length: 0, text: reader.isEmptyObject('stream_options') ? MEMBER : `${MEMBER},` };
}
