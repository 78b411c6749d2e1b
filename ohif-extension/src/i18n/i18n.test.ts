import { afterEach, describe, expect, it } from 'vitest';
import { currentLanguage, languageOf, setLanguage, t } from '.';
import { de } from './de';
import { en } from './en';

const SECTIONS = Object.keys(en) as (keyof typeof en)[];

/** Names of the values in a text. */
function valuesIn(text: string): string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort();
}

describe.each(SECTIONS)('the texts of %s', (section) => {
  const english: Record<string, string> = en[section];
  const german: Record<string, string> = de[section];

  it('are there in both languages', () => {
    expect(Object.keys(german).sort()).toEqual(Object.keys(english).sort());
    expect([...Object.values(english), ...Object.values(german)].filter((text) => text.trim() === '')).toEqual([]);
  });

  it('name the same values in both languages', () => {
    const of = (texts: Record<string, string>): [string, string[]][] =>
      Object.keys(english).map((key) => [key, valuesIn(texts[key] ?? '')]);
    expect(of(german)).toEqual(of(english));
  });
});

describe('the language', () => {
  afterEach(() => setLanguage('en'));

  it.each([
    ['', ['de-AT', 'en'], 'de'],
    ['', ['fr', 'de'], 'de'],
    ['', ['fr'], 'en'],
    ['', [], 'en'],
    ['?lng=de-DE', ['en'], 'de'],
    ['?lng=xx', ['de'], 'de'],
  ] as const)('of %j and %j is %s', (search, preferred, language) => {
    expect(languageOf(search, preferred)).toBe(language);
  });

  it('is that of all texts', () => {
    expect(t('core.saveConflict', { by: 'Dr. B' })).toMatch(/^Dr\. B saved/);
    setLanguage('de');
    expect(currentLanguage()).toBe('de');
    expect(t('core.saveConflict', { by: 'Dr. B' })).toMatch(/^Dr\. B hat/);
    expect(t('core.saveConflict')).toContain('{by}');
  });
});
