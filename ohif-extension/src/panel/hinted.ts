/** The findings that a sentence under the pointer or the focus speaks of. */
import { Observed, useObserved } from './observed';

const NONE: readonly string[] = [];

const hinted = new Observed<readonly string[]>(NONE);

export function hint(findings: readonly string[]): void {
  hinted.set(findings);
}

export function noHint(): void {
  hinted.set(NONE);
}

export function useHinted(finding: string): boolean {
  return useObserved(hinted).includes(finding);
}
