import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentClient, AgentError } from './client';
import { answerFixture, FakeAgent, json, REVIEWER } from './fakes';
import heatJson from './fixtures/heat.json';
import { isHeat } from './guards';

const { signal } = new AbortController();
let agent: FakeAgent;
let client: AgentClient;

beforeEach(() => {
  agent = new FakeAgent();
  vi.stubGlobal('fetch', agent.fetch);
  client = new AgentClient('http://agent.example');
});

async function trouble(work: Promise<unknown>): Promise<AgentError> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error instanceof AgentError) return error;
  throw new Error('no AgentError came');
}

describe('a result', () => {
  it('comes with its ETag, which is sent the next time', async () => {
    const first = await client.result('1.2', null, signal);
    expect(first).toEqual({ answer: answerFixture(), etag: '"1"' });
    agent.on('result', () => new Response(null, { status: 304 }));
    expect(await client.result('1.2', first.etag, signal)).toEqual({ answer: null, etag: '"1"' });
    expect(agent.requests.map(({ headers }) => headers.get('If-None-Match'))).toEqual([null, '"1"']);
    expect(agent.requests[0]!.path).toBe('http://agent.example/api/v1/studies/1.2/result');
  });

  it.each([
    ['a page of the viewer', () => new Response('<!doctype html>')],
    ['JSON of something else', () => json({ state: 'ready' })],
    ['a page of a proxy', () => new Response('<h1>Bad gateway</h1>', { status: 502 })],
    ['no network', () => Promise.reject(new TypeError('Failed to fetch'))],
  ])('counts %s as no agent', async (_, reply) => {
    agent.on('result', reply);
    expect((await trouble(client.result('1.2', null, signal))).trouble).toBe('unreachable');
  });

  it('says why the agent refuses', async () => {
    agent.on('result', () => json({ error: 'the study in the path is not a UID' }, 400));
    expect(await trouble(client.result('x', null, signal))).toMatchObject({
      trouble: 'refused',
      message: 'the study in the path is not a UID',
      status: 400,
    });
  });

  it('tells where to log in', async () => {
    agent.on('result', () => json({ error: 'nobody is logged in', login: '/login' }, 401));
    const error = await trouble(client.result('1.2', null, signal));
    expect(error).toMatchObject({ trouble: 'login', login: 'http://agent.example/login' });
  });

  it('stays an abort when it is aborted', async () => {
    const abort = new AbortController();
    agent.on('result', () => {
      abort.abort();
      return Promise.reject(new DOMException('aborted', 'AbortError'));
    });
    await expect(client.result('1.2', null, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('heat', () => {
  it('is asked for by job, finding, instance and frame', async () => {
    agent.on('heat', () => json(heatJson));
    const heat = await client.heat('1.2', 'lung nodule', '1.2.3', 7, 'job-1', signal);
    expect(isHeat(heat)).toBe(true);
    expect(agent.requests[0]!.path).toBe(
      'http://agent.example/api/v1/studies/1.2/heat/lung%20nodule/1.2.3?job=job-1&frame=7',
    );
  });

  it('is none where the agent has none any more', async () => {
    agent.on('heat', () => json({ error: 'the slice is no longer cached' }, 404));
    expect(await client.heat('1.2', 'nodule', '1.2.3', null, 'job-1', signal)).toBeNull();
  });
});

describe('a review', () => {
  const request = { job_id: 'job-1', base_version: 0, verify: false, findings: [], text: null };

  it('carries the token of the session', async () => {
    agent.on('review', () => json({ version: 1, findings: [] }, 201));
    await client.saveReview('1.2', request, REVIEWER, signal);
    expect(agent.requests[0]).toMatchObject({ method: 'POST', body: request });
    expect(agent.requests[0]!.headers.get('X-CSRF-Token')).toBe('token-1');
  });

  it('tells who was faster', async () => {
    const conflict = { error: 'saved meanwhile', by: 'Dr. B', at: '2026-11-22T12:00:00Z', version: 2 };
    agent.on('review', () => json(conflict, 409));
    const error = await trouble(client.saveReview('1.2', request, REVIEWER, signal));
    expect(error).toMatchObject({ trouble: 'conflict', conflict });
  });
});
