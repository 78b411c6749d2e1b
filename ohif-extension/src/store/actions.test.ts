import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeEventSource, json, REVIEWER } from '../api/fakes';
import heatJson from '../api/fixtures/heat.json';
import * as actions from './actions';
import { settled, STUDY, studyBench } from './bench';
import { isUnsaved } from './derived';
import { store } from './store';
import type { ReadSr } from './study';

const bench = studyBench();

describe('opening a study', () => {
  it('shows what the agent says, and who is logged in', async () => {
    await bench.open();
    expect(store.get()).toMatchObject({ study: STUDY, source: 'agent', person: REVIEWER, answer: bench.answer, connection: 'polling' });
    FakeEventSource.open[0]!.opens();
    expect(store.get().connection).toBe('live');
  });

  it('shows a result that arrives while it is open', async () => {
    bench.agent.on('result', () => json({ ...bench.answer, state: 'pending', result: null }));
    await bench.open();
    expect(store.get().answer?.result).toBeNull();
    bench.agent.on('result', () => json(bench.answer));
    FakeEventSource.open[0]!.says('changed', { etag: '"2"' });
    await vi.waitFor(() => expect(store.get().answer?.state).toBe('ready'));
  });

  it('shows a result to somebody who is not logged in where the agent allows it', async () => {
    bench.agent.on('session', () => json({ error: 'nobody is logged in', login: '/login' }, 401));
    await bench.open();
    expect(store.get()).toMatchObject({ source: 'agent', person: null, login: 'http://agent.example/login' });
    actions.accept(bench.keys()[0]!);
    expect(isUnsaved(store.get())).toBe(false);
    expect(store.get().message).toMatch(/^Log in/);
  });

  it('offers the login where the agent wants one', async () => {
    bench.agent.on('result', () => json({ error: 'nobody is logged in', login: '/login' }, 401));
    bench.agent.on('session', () => json({ error: 'nobody is logged in', login: '/login' }, 401));
    actions.openStudy(STUDY);
    await vi.waitFor(() => expect(store.get().login).toBe('http://agent.example/login'));
    expect(store.get()).toMatchObject({ answer: null, source: null });
    bench.agent.on('result', () => json(bench.answer));
    bench.agent.on('session', () => json(REVIEWER));
    window.dispatchEvent(new Event('focus'));
    await vi.waitFor(() => expect(store.get()).toMatchObject({ source: 'agent', person: REVIEWER, login: null }));
  });

  it('says in words what the agent refuses, and keeps what is shown when it falls silent', async () => {
    await bench.open();
    bench.agent.on('result', () => Promise.reject(new TypeError('Failed to fetch')));
    await actions.reload();
    expect(store.get()).toMatchObject({ source: 'agent', answer: bench.answer, connection: 'offline' });
    expect(store.get().message).toMatch(/cannot be reached/);
    await bench.arrives(bench.answer);
    expect(store.get()).toMatchObject({ connection: 'polling', message: '' });
  });
});

describe('without an agent', () => {
  const fromPacs: ReadSr = () => Promise.resolve({ ...bench.answer, history: [], job: null });

  beforeEach(() => bench.agent.on('result', () => Promise.reject(new TypeError('Failed to fetch'))));

  it('shows what the PACS has, to be looked at only', async () => {
    actions.connect('http://agent.example', fromPacs);
    await bench.open();
    expect(store.get()).toMatchObject({ source: 'sr', connection: 'offline' });
    expect(store.get().message).toMatch(/as the PACS has it/);
    actions.accept(bench.keys()[0]!);
    expect(isUnsaved(store.get())).toBe(false);
    expect(await actions.heat('lung_nodule', '1.2', null)).toBeNull();
  });

  it('says that there is nothing where the PACS has nothing', async () => {
    actions.connect('http://agent.example', () => Promise.resolve(null));
    await bench.open();
    expect(store.get().answer).toMatchObject({ state: 'none', result: null });
    expect(store.get().answer?.reason).toMatch(/no AI result/);
  });

  it('shows the agent’s answer as soon as it comes', async () => {
    actions.connect('http://agent.example', fromPacs);
    await bench.open();
    await bench.arrives(bench.answer);
    expect(store.get()).toMatchObject({ source: 'agent', message: '' });
  });
});

describe('other reviewers', () => {
  it('are told of, and told when this one leaves', async () => {
    bench.agent.on('reviewers', () => json({ others: ['Dr. B'] }));
    await bench.open();
    expect(store.get().others).toEqual(['Dr. B']);
    FakeEventSource.open[0]!.says('reviewers', { others: [] });
    expect(store.get().others).toEqual([]);
    actions.closeStudy();
    expect(bench.agent.asked('reviewers').map(({ body }) => body)).toEqual([{ here: true }, { here: false }]);
  });
});

describe('heat', () => {
  it('is fetched once for each slice', async () => {
    bench.agent.on('heat', () => json(heatJson));
    await bench.open();
    const [first] = await Promise.all([actions.heat('nodule', '1.2', null), actions.heat('nodule', '1.2', null)]);
    expect(first).toEqual(heatJson);
    await actions.heat('nodule', '1.3', null);
    expect(bench.agent.asked('heat')).toHaveLength(2);
  });

  it('is asked for again after a failure', async () => {
    await bench.open();
    bench.agent.on('heat', () => Promise.reject(new TypeError('Failed to fetch')));
    expect(await actions.heat('nodule', '1.2', null)).toBeNull();
    bench.agent.on('heat', () => json(heatJson));
    expect(await actions.heat('nodule', '1.2', null)).not.toBeNull();
  });
});

describe('fifty studies, one after the other', () => {
  it('leave nothing behind', async () => {
    const added = vi.spyOn(window, 'addEventListener');
    const removed = vi.spyOn(window, 'removeEventListener');
    const watchers = store.watchers;
    for (let number = 0; number < 50; number++) await bench.open(`1.2.${number}`);
    actions.closeStudy();
    expect(FakeEventSource.open).toHaveLength(0);
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
    expect(store.watchers).toBe(watchers);
    expect(store.get()).toMatchObject({ study: '', answer: null, person: REVIEWER });
    const requests = bench.agent.requests.length;
    await settled();
    expect(bench.agent.requests.length).toBe(requests);
  });

  it('never show what an earlier one said', async () => {
    let late: (response: Response) => void = () => undefined;
    bench.agent.on('result', () => new Promise<Response>((resolve) => (late = resolve)));
    actions.openStudy('1.2.1');
    await settled();
    bench.agent.on('result', () => json({ ...bench.answer, study_instance_uid: '1.2.2' }));
    await bench.open('1.2.2');
    late(json({ ...bench.answer, study_instance_uid: '1.2.1' }));
    await settled();
    expect(store.get().answer?.study_instance_uid).toBe('1.2.2');
  });
});
