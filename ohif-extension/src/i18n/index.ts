/** The texts of the interface. English gives the keys; every other language has the same ones. */
import { de } from './de';
import { en } from './en';

export type Texts = typeof en;
type Sections = { [S in keyof Texts]: `${S}.${keyof Texts[S] & string}` };
/** `section.key`, for example `panel.accept`. */
export type TextKey = Sections[keyof Sections];
export type Language = 'en' | 'de';

const LANGUAGES: Record<Language, { [S in keyof Texts]: Record<keyof Texts[S], string> }> = { en, de };

/** The language of the page: `?lng=` before the browser's; English where neither is ours. */
export function languageOf(search: string, preferred: readonly string[]): Language {
  const asked = new URLSearchParams(search).get('lng');
  const wanted = asked === null ? preferred : [asked, ...preferred];
  for (const each of wanted) {
    const language = each.toLowerCase().split('-')[0];
    if (language === 'en' || language === 'de') return language;
  }
  return 'en';
}

let language: Language = languageOf(globalThis.location.search, globalThis.navigator.languages);

export function setLanguage(next: Language): void {
  language = next;
}

export function currentLanguage(): Language {
  return language;
}

/** The text of a key; `{name}` in it becomes `values.name`. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  const [section, name] = key.split('.') as [keyof Texts, string];
  const texts: Readonly<Record<string, string>> = LANGUAGES[language][section];
  const text = texts[name] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, value: string) => String(values[value] ?? whole));
}

/** A day, given as in 2026-05-03, as the language writes it; as it is given where it is none. */
export function day(iso: string): string {
  const at = new Date(`${iso}T12:00:00`);
  return Number.isNaN(at.getTime()) ? iso : at.toLocaleDateString(language, { dateStyle: 'medium' });
}

/** A date and time as the language writes it; empty where `iso` is none. */
export function dateTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '';
  return at.toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' });
}
