import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { POLL_MS, RETRY_MAX_MS, RETRY_MS, StudyNews } from './events';
import { FakeEventSource } from './fakes';

let news: StudyNews;
const listener = { onChanged: vi.fn(), onOthers: vi.fn(), onLive: vi.fn() };
let visibility: DocumentVisibilityState;

function source(): FakeEventSource {
  return FakeEventSource.all.at(-1)!;
}

function show(state: DocumentVisibilityState): void {
  visibility = state;
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.clearAllMocks();
  FakeEventSource.all.length = 0;
  vi.stubGlobal('EventSource', FakeEventSource);
  visibility = 'visible';
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => visibility);
  news = new StudyNews('http://agent.example/events', listener);
});

afterEach(() => {
  news.close();
  vi.useRealTimers();
});

describe('while the stream is open', () => {
  it('tells of changes and of others, and asks nothing by itself', () => {
    source().opens();
    source().says('changed', { etag: '"2"' });
    source().says('reviewers', { others: ['Dr. B'] });
    source().says('reviewers', 'nonsense');
    vi.advanceTimersByTime(10 * POLL_MS);
    expect(listener.onLive).toHaveBeenCalledExactlyOnceWith(true);
    expect(listener.onChanged).toHaveBeenCalledTimes(1);
    expect(listener.onOthers).toHaveBeenCalledExactlyOnceWith(['Dr. B']);
  });
});

describe('without a stream', () => {
  it('polls every ten seconds', () => {
    source().fails();
    expect(listener.onLive).toHaveBeenCalledExactlyOnceWith(false);
    vi.advanceTimersByTime(POLL_MS - 1);
    expect(listener.onChanged).not.toHaveBeenCalled();
    vi.advanceTimersByTime(3 * POLL_MS + 1);
    expect(listener.onChanged).toHaveBeenCalledTimes(4);
  });

  it('opens it again, each time later, and never within five seconds', () => {
    const opened: number[] = [];
    for (let tries = 0; tries < 7; tries++) {
      const before = FakeEventSource.all.length;
      source().fails();
      let waited = 0;
      while (FakeEventSource.all.length === before) {
        vi.advanceTimersByTime(1000);
        waited += 1000;
      }
      opened.push(waited);
    }
    expect(opened).toEqual([5, 10, 20, 40, 60, 60, 60].map((seconds) => 1000 * seconds));
    expect(Math.min(...opened)).toBe(RETRY_MS);
    expect(Math.max(...opened)).toBe(RETRY_MAX_MS);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('stops polling when the stream is back', () => {
    source().fails();
    vi.advanceTimersByTime(RETRY_MS);
    source().opens();
    vi.advanceTimersByTime(10 * POLL_MS);
    expect(listener.onChanged).not.toHaveBeenCalled();
  });
});

describe('a hidden page', () => {
  it('holds no stream and asks nothing; shown again, it asks at once', () => {
    source().opens();
    show('hidden');
    expect(FakeEventSource.open).toHaveLength(0);
    vi.advanceTimersByTime(10 * POLL_MS);
    expect(listener.onChanged).not.toHaveBeenCalled();
    show('visible');
    expect(listener.onChanged).toHaveBeenCalledTimes(1);
    expect(FakeEventSource.open).toHaveLength(1);
  });
});

describe('closed', () => {
  it('leaves no stream, no timer and no listener', () => {
    source().fails();
    news.close();
    vi.advanceTimersByTime(10 * POLL_MS);
    show('visible');
    expect(vi.getTimerCount()).toBe(0);
    expect(listener.onChanged).not.toHaveBeenCalled();
    expect(FakeEventSource.open).toHaveLength(0);
  });
});
