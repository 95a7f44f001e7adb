/** The condition of a ladder's step, such as `80% of monthly-spend`, in the form that the schema has checked. */
export function readCondition(text: string): { readonly limit: string; readonly percent: number } {
  const [percent = '', , limit = ''] = text.split(' ');
  return { limit, percent: Number.parseInt(percent, 10) };
}
