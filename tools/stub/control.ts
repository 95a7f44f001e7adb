import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StubBehaviour } from './behaviour.ts';
import type { Steering } from './steering.ts';

/**
 * `GET /stub/records` (bodies in base64), `GET /stub/held`, `PUT /stub/behaviour` (JSON of fields), `POST /stub/release`,
 * `POST /stub/reset`. Envoy has no route to these paths.
 */
export function control(
  steering: Steering,
  call: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly body: Buffer },
): void {
  const { request, response, body } = call;
  const value = act(steering, `${request.method} ${request.url}`, body);
  response.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value ?? {}));
}

function act(steering: Steering, call: string, body: Buffer): unknown {
  switch (call) {
    case 'GET /stub/records':
      return steering.records().map((record) => ({ ...record, body: record.body.toString('base64') }));
    case 'GET /stub/held':
      return { held: steering.held() };
    case 'PUT /stub/behaviour':
      steering.setBehaviour(JSON.parse(body.toString()) as Partial<StubBehaviour>);
      return {};
    case 'POST /stub/release':
      steering.release();
      return {};
    case 'POST /stub/reset':
      steering.reset();
      return {};
    default:
      return undefined;
  }
}
