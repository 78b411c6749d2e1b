import { describe, expect, it } from 'vitest';
import { answerFixture } from '../api/fakes';
import { draftText, evidenceOf, percent, sortedFindings, standing, topEvidence } from './derived';

const result = answerFixture().result!;

describe('the order of findings', () => {
  it('is by concern, then probability; absent ones stand last', () => {
    const [base] = result.findings;
    const of = (key: string, presence: 'present' | 'uncertain' | 'absent', concern: number, probability: number) => ({
      ...base!,
      key,
      presence,
      concern,
      probability,
    });
    const findings = [
      of('absent', 'absent', 3, 0.1),
      of('minor', 'present', 1, 0.9),
      of('doubt', 'uncertain', 3, 0.4),
      of('likely', 'present', 3, 0.8),
      of('likelier', 'present', 3, 0.9),
    ];
    const order = sortedFindings({ ...result, findings }).map((finding) => finding.key);
    expect(order).toEqual(['likelier', 'likely', 'doubt', 'minor', 'absent']);
    expect(standing({ ...result, findings })).toHaveLength(4);
  });
});

describe('evidence', () => {
  it('is along the slice axis, or the strongest first', () => {
    const finding = standing(result)[0]!;
    const indices = evidenceOf(finding).map((each) => each.index);
    expect(indices).toEqual([...indices].sort((a, b) => a - b));
    const weights = topEvidence(finding, 3).map((each) => each.weight);
    expect(weights).toEqual([...weights].sort((a, b) => b - a));
    expect(weights).toHaveLength(Math.min(3, finding.evidence.length));
  });
});

describe('a share', () => {
  it.each([
    [0, '0 %'],
    [0.00001, '<1 %'],
    [0.006, '1 %'],
    [0.494, '49 %'],
    [0.994, '99 %'],
    [0.999, '>99 %'],
    [1, '100 %'],
  ])('of %d is %s', (share, text) => expect(percent(share)).toBe(text));
});

describe('the draft report', () => {
  it('has all sentences, findings before impression', () => {
    const text = draftText(result);
    const all = [...result.sentences, ...result.impression].map((sentence) => sentence.text);
    expect(text.split(/\n+/)).toEqual(all);
  });
});
