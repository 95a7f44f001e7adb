import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StubBehaviour } from './behaviour.ts';
import type { StubRecord } from './records.ts';

/** What can be steered from outside where the stub is a process of its own. */
export interface Controlled {
  records(): readonly StubRecord[];
  setBehaviour(change: Partial<StubBehaviour>): void;
  held(): number;
  release(): void;
  reset(): void;
}

/**
 * `GET /stub/records` (bodies in base64), `GET /stub/held`, `PUT /stub/behaviour` (JSON of fields), `POST /stub/release`,
 * `POST /stub/reset`. Envoy has no route to these paths.
 */
export function control(
  stub: Controlled,
  call: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly body: Buffer },
): void {
  const { request, response, body } = call;
  const value = act(stub, `${request.method} ${request.url}`, body);
  response.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value ?? {}));
}

function act(stub: Controlled, call: string, body: Buffer): unknown {
  switch (call) {
    case 'GET /stub/records':
      return stub.records().map((record) => ({ ...record, body: record.body.toString('base64') }));
    case 'GET /stub/held':
      return { held: stub.held() };
    case 'PUT /stub/behaviour':
      stub.setBehaviour(JSON.parse(body.toString()) as Partial<StubBehaviour>);
      return {};
    case 'POST /stub/release':
      stub.release();
      return {};
    case 'POST /stub/reset':
      stub.reset();
      return {};
    default:
      return undefined;
  }
}
