/** Which studies the viewer was opened with. */

const PARAMETER = 'studyinstanceuids';

/** The StudyInstanceUIDs of the page's address, in order. OHIF takes several, comma-separated or repeated. */
export function studyUids(search: string): string[] {
  const named = [...new URLSearchParams(search)].filter(([name]) => name.toLowerCase() === PARAMETER);
  return named.flatMap(([, value]) => value.split(',')).filter((uid) => uid !== '');
}
