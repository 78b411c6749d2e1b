/** Heat of slices that was fetched, the last used ones. */
import { AgentError } from '../api/client';
import type { Heat } from '../api/types';

const KEPT = 200;

type Fetch = (finding: string, sopInstanceUid: string, frame: number | null, job: string) => Promise<Heat | null>;

export class HeatCache {
  readonly #fetch: Fetch;
  readonly #kept = new Map<string, Promise<Heat | null>>();

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  /** The heat; null where there is none, or it cannot be had now, which is asked again the next time. */
  get(finding: string, sopInstanceUid: string, frame: number | null, job: string): Promise<Heat | null> {
    const key = JSON.stringify([job, finding, sopInstanceUid, frame]);
    const kept = this.#kept.get(key) ?? this.#ask(key, () => this.#fetch(finding, sopInstanceUid, frame, job));
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > KEPT && !oldest.done) this.#kept.delete(oldest.value);
    return kept;
  }

  clear(): void {
    this.#kept.clear();
  }

  async #ask(key: string, fetch: () => Promise<Heat | null>): Promise<Heat | null> {
    try {
      return await fetch();
    } catch (error) {
      this.#kept.delete(key);
      if (error instanceof AgentError || error instanceof DOMException) return null;
      throw error;
    }
  }
}
