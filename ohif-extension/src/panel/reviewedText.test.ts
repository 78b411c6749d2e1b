import { describe, expect, it } from 'vitest';
import type { Edited, FindingReview } from '../api/types';
import { draftText } from '../store/derived';
import { result } from './everyState';
import { plainText, reviewedReport } from './reviewedText';

const edited: Edited = {
  presence: 'present',
  sides: ['left'],
  lobes: ['left lower lobe'],
  grade: 1,
  count: null,
  comment: '',
};

function textAfter(...reviews: FindingReview[]): string {
  return plainText(reviewedReport(result, (key) => reviews.find(({ finding }) => finding === key) ?? null));
}

describe('the report after review', () => {
  it('is the draft while nothing is handled, and when all is accepted', () => {
    expect(textAfter()).toBe(draftText(result));
    expect(textAfter(...result.findings.map(({ key }) => ({ finding: key, action: 'accepted' as const })))).toBe(
      draftText(result),
    );
  });

  it('does not say what was rejected', () => {
    const text = textAfter({ finding: 'pleural_effusion', action: 'rejected', reason: 'not_there' });
    expect(text).not.toMatch(/effusions/);
    expect(text).toContain('A small nodule in both lungs');
  });

  it('says what was edited in the words of the reader, and in the impression too', () => {
    const text = textAfter({
      finding: 'atelectasis',
      action: 'edited',
      edited: { ...edited, comment: 'Beside the effusion.' },
    });
    expect(text).toContain('Atelectasis: present, moderate, left lower lobe. Beside the effusion.');
    expect(text).toContain('\nPossible: lung opacity, pulmonary fibrotic sequela.');
    expect(text).toContain('\nAtelectasis, moderate, left lower lobe.');
    expect(text).not.toContain('It is uncertain whether there is atelectasis');
  });

  it('takes what was edited to absent out of the impression', () => {
    const absent: Edited = { presence: 'absent', sides: [], lobes: [], grade: null, count: null, comment: '' };
    const text = textAfter({ finding: 'lung_nodule', action: 'edited', edited: absent });
    expect(text).toContain('Lung nodule: not seen.');
    expect(text).not.toContain('A small nodule');
  });

  it('adds what was missed', () => {
    const text = textAfter({
      finding: 'hiatal_hernia',
      action: 'added',
      edited: { ...edited, presence: 'uncertain', sides: [], lobes: [], grade: 0 },
    });
    expect(text).toContain('Hiatal hernia: uncertain, small.');
    expect(text).toContain('\nPossible: hiatal hernia, small.');
    expect(text).not.toContain('There is no hiatal hernia');
  });

  it('says so when nothing is left', () => {
    const standing = result.findings.filter(({ presence }) => presence !== 'absent');
    const text = textAfter(
      ...standing.map(({ key }) => ({ finding: key, action: 'rejected' as const, reason: 'not_there' })),
    );
    expect(text).toMatch(/\n\nNo finding was confirmed\.$/);
  });

  it('shows what is struck out instead of hiding it', () => {
    const report = reviewedReport(result, (key) =>
      key === 'lung_nodule' ? { finding: key, action: 'rejected', reason: 'artifact' } : null,
    );
    expect(report.impression.filter(({ gone }) => gone).map(({ text }) => text)).toEqual([
      expect.stringContaining('A small nodule'),
    ]);
  });
});
