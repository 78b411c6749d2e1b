/** A study opened against a fake agent, for tests of the store. */
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { answerFixture, FakeAgent, FakeEventSource, json } from '../api/fakes';
import type { ReviewRequest, StudyAnswer } from '../api/types';
import * as actions from './actions';
import { standing } from './derived';
import { emptySession, store } from './store';

export const STUDY = '1.2.3';

/** What a test has at hand; new for each one. `answer` is what the agent says, and may be changed before it is asked. */
export interface Bench {
  agent: FakeAgent;
  answer: StudyAnswer;
  open(study?: string): Promise<void>;
  /** A new answer of the agent, asked for at once. */
  arrives(next: StudyAnswer): Promise<void>;
  /** Keys of the findings that stand to be handled. */
  keys(): string[];
  /** The review that was sent last. */
  sent(): ReviewRequest;
}

export function studyBench(): Bench {
  const bench: Bench = { agent: new FakeAgent(), answer: answerFixture(), open, arrives, keys, sent };

  beforeEach(() => {
    FakeEventSource.all.length = 0;
    bench.answer = answerFixture();
    bench.agent = new FakeAgent(bench.answer);
    vi.stubGlobal('EventSource', FakeEventSource);
    vi.stubGlobal('fetch', bench.agent.fetch);
    sessionStorage.clear();
    actions.connect('http://agent.example', null);
  });

  afterEach(() => {
    actions.closeStudy();
    store.set(emptySession());
  });

  async function open(study = STUDY): Promise<void> {
    actions.openStudy(study);
    await vi.waitFor(() => expect(store.get().source).not.toBeNull());
    await settled();
  }

  async function arrives(next: StudyAnswer): Promise<void> {
    bench.agent.on('result', () => json(next, 200, { ETag: '"2"' }));
    await actions.reload();
  }

  function keys(): string[] {
    return bench.answer.result ? standing(bench.answer.result).map((finding) => finding.key) : [];
  }

  function sent(): ReviewRequest {
    return bench.agent.asked('review').at(-1)?.body as ReviewRequest;
  }

  return bench;
}

/** Time for what was begun to end. */
export async function settled(): Promise<void> {
  await new Promise((done) => setTimeout(done, 5));
}
