/** News of a study: server-sent events where the agent has a stream to give, else a question every ten seconds. */
import { isFields, isOthers } from './guards';

export const POLL_MS = 10_000;
/** First wait before a lost stream is opened again; it doubles up to the last. Never under 5 s. */
export const RETRY_MS = 5_000;
export const RETRY_MAX_MS = 60_000;

export interface NewsListener {
  /** The study changed, or it is time to ask. */
  onChanged(): void;
  /** Names of the others who have the study open. */
  onOthers(names: string[]): void;
  /** Whether changes now arrive by themselves. */
  onLive(live: boolean): void;
}

/** Listens until `close`. While the page is hidden it neither holds a stream nor asks. */
export class StudyNews {
  readonly #url: string;
  readonly #listener: NewsListener;
  #source: EventSource | null = null;
  #poll: ReturnType<typeof setInterval> | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #wait = RETRY_MS;
  #closed = false;

  constructor(url: string, listener: NewsListener) {
    this.#url = url;
    this.#listener = listener;
    document.addEventListener('visibilitychange', this.#onVisibility);
    if (document.visibilityState !== 'hidden') this.#open();
  }

  close(): void {
    this.#closed = true;
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#rest();
  }

  readonly #onVisibility = (): void => {
    this.#rest();
    if (document.visibilityState === 'hidden') return;
    this.#wait = RETRY_MS;
    this.#open();
    this.#listener.onChanged();
  };

  #open(): void {
    const source = new EventSource(this.#url, { withCredentials: true });
    this.#source = source;
    source.onopen = () => this.#live();
    source.onerror = () => this.#lost();
    source.addEventListener('changed', () => this.#listener.onChanged());
    source.addEventListener('reviewers', (event: MessageEvent<unknown>) => this.#others(event.data));
  }

  #live(): void {
    this.#wait = RETRY_MS;
    if (this.#poll) clearInterval(this.#poll);
    this.#poll = null;
    this.#listener.onLive(true);
  }

  /** The browser would open the stream again by itself, but as often as it likes; we wait. */
  #lost(): void {
    this.#source?.close();
    this.#source = null;
    if (this.#closed) return;
    this.#listener.onLive(false);
    this.#poll ??= setInterval(() => this.#listener.onChanged(), POLL_MS);
    this.#retry = setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, RETRY_MAX_MS);
  }

  #others(data: unknown): void {
    const said = typeof data === 'string' ? parsed(data) : null;
    if (isOthers(said)) this.#listener.onOthers(said.others);
  }

  #rest(): void {
    this.#source?.close();
    this.#source = null;
    if (this.#poll) clearInterval(this.#poll);
    if (this.#retry) clearTimeout(this.#retry);
    this.#poll = this.#retry = null;
  }
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}
