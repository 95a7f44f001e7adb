import { findKustomize, type Kustomize } from '../../tools/k8s/find.ts';

/** The kustomize to render with, or why there is none. */
export type KustomizeNeed =
  | { readonly skip: false; readonly kustomize: Kustomize }
  | { readonly skip: string; readonly kustomize?: never };

/** A missing kustomize that cannot be installed is a loud skip at a desk, and an error where CI=true. */
export async function needKustomize(): Promise<KustomizeNeed> {
  try {
    return { skip: false, kustomize: await findKustomize() };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (process.env['CI'] === 'true') throw error;
    process.stderr.write(`SKIPPED, NOT PROVEN: manifests: ${why}\n`);
    return { skip: why };
  }
}
