import { detectResources, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { ATTRIBUTE, SERVICE } from './names.ts';

/** What the operator says in OTEL_RESOURCE_ATTRIBUTES (pod, zone …) stands beside what we know. */
export function resourceOf({ version, instance }: { readonly version: string; readonly instance: string }): Resource {
  return detectResources({ detectors: [envDetector] }).merge(
    resourceFromAttributes({
      [ATTRIBUTE.serviceName]: SERVICE,
      [ATTRIBUTE.serviceVersion]: version,
      [ATTRIBUTE.serviceInstance]: instance,
    }),
  );
}
