import { beforeEach, describe, expect, it, vi } from 'vitest';
import { answerFixture, FakeEventSource, json, REVIEWER, reviewFixture } from '../api/fakes';
import type { Edited, ReviewRequest } from '../api/types';
import * as actions from './actions';
import { STUDY, studyBench } from './bench';
import { isUnsaved, missingForVerify, reportText, reviewOf } from './derived';
import { store } from './store';

const EDITED: Edited = { presence: 'present', sides: ['left'], lobes: [], grade: null, count: null, comment: 'seen' };
const bench = studyBench();

describe('handling findings', () => {
  it('accepts nothing by itself', async () => {
    await bench.open();
    expect(bench.keys().length).toBeGreaterThan(1);
    expect(missingForVerify(store.get()).map((finding) => finding.key)).toEqual(bench.keys());
  });

  it('keeps each in the draft until it is undone', async () => {
    await bench.open();
    const [first, second, third] = bench.keys();
    actions.accept(first!);
    actions.reject(second!, 'artefact');
    actions.edit(third!, EDITED);
    expect(reviewOf(store.get(), second!)).toEqual({ finding: second, action: 'rejected', reason: 'artefact' });
    expect(reviewOf(store.get(), third!)).toEqual({ finding: third, action: 'edited', edited: EDITED });
    [first, second, third].forEach((key) => actions.undo(key!));
    expect(isUnsaved(store.get())).toBe(false);
  });

  it('adds a missed finding on the slice that is shown, and on none', async () => {
    await bench.open();
    const absent = bench.answer.result!.findings.find((finding) => finding.presence === 'absent')!;
    const [slice] = bench.answer.result!.series.slices;
    actions.addFinding(absent.key, EDITED);
    expect(isUnsaved(store.get())).toBe(false);
    expect(store.get().message).toMatch(/Show the slice/);
    store.set({ current: { sopInstanceUid: slice!.sop_instance_uid, frame: 1 } });
    actions.addFinding(absent.key, EDITED, [10, 20]);
    const added = { finding: absent.key, action: 'added', edited: EDITED } as const;
    const mark = { sop_instance_uid: slice!.sop_instance_uid, frame_number: null, point_px: [10, 20] };
    expect(reviewOf(store.get(), absent.key)).toEqual({ ...added, slice: mark });
    actions.edit(absent.key, { ...EDITED, comment: 'small' });
    expect(reviewOf(store.get(), absent.key)).toMatchObject({ action: 'added', slice: mark });
  });

  it('is no change where it says what was saved', async () => {
    const [key] = bench.keys();
    bench.answer.review = reviewFixture(bench.answer, { findings: [{ finding: key!, action: 'accepted' }] });
    await bench.open();
    actions.reject(key!, 'known');
    actions.accept(key!);
    expect(isUnsaved(store.get())).toBe(false);
  });

  it('takes an edited report back to what the model wrote', async () => {
    await bench.open();
    const written = reportText(store.get());
    actions.setText('No finding.');
    expect(reportText(store.get())).toBe('No finding.');
    actions.setText(written);
    expect(isUnsaved(store.get())).toBe(false);
    bench.answer.review = reviewFixture(bench.answer, { text: 'Saved.' });
    await bench.arrives(bench.answer);
    expect(reportText(store.get())).toBe('Saved.');
    actions.setText(null);
    expect(reportText(store.get())).toBe(written);
    bench.agent.on('review', () => json(reviewFixture(bench.answer, { version: 2 }), 201));
    await actions.save(false);
    expect(bench.sent()).toMatchObject({ text: null, base_version: 1 });
  });
});

describe('the draft', () => {
  it('survives a reload', async () => {
    await bench.open();
    actions.reject(bench.keys()[0]!, 'not_there');
    actions.setText('No finding.');
    const { draft } = store.get();
    actions.closeStudy();
    expect(isUnsaved(store.get())).toBe(false);
    await bench.open();
    expect(store.get().draft).toEqual(draft);
  });

  it('belongs to its study and its login', async () => {
    await bench.open();
    actions.accept(bench.keys()[0]!);
    await bench.open('1.2.4');
    expect(isUnsaved(store.get())).toBe(false);
    store.set({ person: null });
    bench.agent.on('session', () => json({ ...REVIEWER, login: 'bob' }));
    await bench.open();
    expect(isUnsaved(store.get())).toBe(false);
    expect(store.get().offered).toBeNull();
  });

  it('of an older result is offered, not applied', async () => {
    await bench.open();
    const [first, second] = bench.keys();
    actions.accept(first!);
    const newer = answerFixture();
    newer.result!.job_id = 'newer';
    newer.result!.findings = newer.result!.findings.filter((finding) => finding.key !== second);
    await bench.arrives(newer);
    expect(isUnsaved(store.get())).toBe(false);
    expect(store.get().offered?.draft.findings[first!]).toMatchObject({ action: 'accepted' });
    actions.takeOffered(true);
    expect(reviewOf(store.get(), first!)).toMatchObject({ action: 'accepted' });
    expect(store.get().offered).toBeNull();
    await bench.open();
    expect(store.get().offered).toBeNull();
    expect(reviewOf(store.get(), first!)).toMatchObject({ action: 'accepted' });
  });

  it('is no draft when somebody else wrote into the storage', async () => {
    const job = bench.answer.result!.job_id;
    sessionStorage.setItem(`pacs-agent:draft:${JSON.stringify([STUDY, job, 'ada'])}`, '{"draft": {"findings": 3}}');
    sessionStorage.setItem('pacs-agent:draft:nonsense', 'nonsense');
    await bench.open();
    expect(isUnsaved(store.get())).toBe(false);
  });
});

describe('saving', () => {
  beforeEach(() => {
    bench.agent.on('review', ({ body }) => {
      const { findings, text, verify, base_version } = body as ReviewRequest;
      return json(reviewFixture(bench.answer, { version: base_version + 1, by: 'Dr. Ada', findings, text, verified: verify }), 201);
    });
  });

  it('sends what was handled, and what was saved before', async () => {
    const [first, second] = bench.keys();
    bench.answer.review = reviewFixture(bench.answer, { version: 3, findings: [{ finding: first!, action: 'accepted' }] });
    await bench.open();
    actions.reject(second!, 'artefact');
    expect(await actions.save(false)).toBe(true);
    expect(bench.sent()).toEqual({
      job_id: bench.answer.result!.job_id,
      base_version: 3,
      verify: false,
      findings: [
        { finding: first, action: 'accepted' },
        { finding: second, action: 'rejected', reason: 'artefact' },
      ],
      text: null,
    });
    expect(store.get()).toMatchObject({ saving: 'saved', message: '', answer: { review: { version: 4 } } });
    expect(isUnsaved(store.get())).toBe(false);
    expect(sessionStorage.length).toBe(0);
  });

  it('verifies only what was handled in full', async () => {
    await bench.open();
    expect(await actions.save(true)).toBe(false);
    expect(store.get().message).toContain(bench.answer.result!.findings.find(({ key }) => key === bench.keys()[0])!.name);
    bench.keys().forEach((key) => actions.accept(key));
    expect(await actions.save(true)).toBe(true);
    expect(bench.sent()).toMatchObject({ verify: true });
    expect(bench.sent().findings).toHaveLength(bench.keys().length);
    expect(store.get().answer?.review?.verified).toBe(true);
  });

  it('sends nothing where nothing was changed', async () => {
    await bench.open();
    expect(await actions.save(false)).toBe(false);
    expect(bench.agent.asked('review')).toEqual([]);
    expect(store.get().message).toBe('Nothing was changed.');
  });

  it('keeps the draft when somebody was faster, and stands upon his review after a reload', async () => {
    await bench.open();
    const [key] = bench.keys();
    actions.accept(key!);
    bench.agent.on('review', () => json({ error: 'saved meanwhile', by: 'Dr. B', at: '', version: 1 }, 409));
    expect(await actions.save(false)).toBe(false);
    expect(store.get()).toMatchObject({ saving: 'conflict' });
    expect(store.get().message).toMatch(/^Dr\. B saved a review/);
    bench.answer.review = reviewFixture(bench.answer, { version: 1 });
    await bench.arrives(bench.answer);
    expect(store.get()).toMatchObject({ saving: 'no', message: '', draftBase: 1 });
    bench.agent.on('review', () => json(reviewFixture(bench.answer, { version: 2 }), 201));
    expect(await actions.save(false)).toBe(true);
    expect(bench.sent()).toMatchObject({ base_version: 1, findings: [{ finding: key, action: 'accepted' }] });
  });

  it('tells of a second reviewer’s save before this one saves', async () => {
    await bench.open();
    actions.accept(bench.keys()[0]!);
    bench.answer.review = reviewFixture(bench.answer, { version: 1 });
    bench.agent.on('result', () => json(bench.answer));
    FakeEventSource.open[0]!.says('changed', {});
    await vi.waitFor(() => expect(store.get().saving).toBe('conflict'));
    actions.accept(bench.keys()[1]!);
    expect(store.get().saving).toBe('conflict');
  });

  it('asks for a newer token once when the session was begun again', async () => {
    await bench.open();
    actions.accept(bench.keys()[0]!);
    bench.agent.on('session', () => json({ ...REVIEWER, csrf: 'token-2' }));
    bench.agent.on('review', ({ headers }) =>
      headers.get('X-CSRF-Token') === 'token-2'
        ? json(reviewFixture(bench.answer), 201)
        : json({ error: 'the token is not that of the session' }, 403),
    );
    expect(await actions.save(false)).toBe(true);
    expect(bench.agent.asked('review')).toHaveLength(2);
  });

  it('keeps the draft when the session has ended, and says where to log in', async () => {
    await bench.open();
    actions.accept(bench.keys()[0]!);
    bench.agent.on('review', () => json({ error: 'nobody is logged in', login: '/login' }, 401));
    expect(await actions.save(false)).toBe(false);
    expect(store.get()).toMatchObject({ saving: 'failed', person: null, login: 'http://agent.example/login' });
    expect(isUnsaved(store.get())).toBe(true);
  });

  it('is for reviewers', async () => {
    bench.agent.on('session', () => json({ ...REVIEWER, roles: ['viewer'] }));
    await bench.open();
    actions.accept(bench.keys()[0]!);
    expect(isUnsaved(store.get())).toBe(false);
    expect(store.get().message).toMatch(/role “reviewer”/);
    expect(bench.agent.asked('reviewers')).toEqual([]);
  });
});

