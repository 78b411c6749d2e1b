/** Entry points that OHIF calls: what fails in one is said once in the console and never reaches the viewer. */

const said = new Set<string>();

/** `work`, or `instead` of what it gives when it fails. `where` is what could not be done, in words. */
export function guarded<T>(where: string, work: () => T, instead: T): T {
  try {
    return work();
  } catch (error) {
    sayOnce(where, error);
    return instead;
  }
}

/** Says once what the plugin could not do. */
export function sayOnce(where: string, error: unknown): void {
  if (said.has(where)) return;
  said.add(where);
  // eslint-disable-next-line no-console -- the only place where a plugin can say that a part of it is missing
  console.error(`PACS agent: could not ${where}; the viewer goes on without it.`, error);
}
