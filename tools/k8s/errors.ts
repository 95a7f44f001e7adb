/** What the manifests need is not there, or cannot be read. The message says what to do, for whoever ran the command. */
export class K8sError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'K8sError';
  }
}
