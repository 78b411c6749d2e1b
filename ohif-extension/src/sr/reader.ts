import type { OhifContext } from '../ohif/types';
import type { ReadSr } from '../store/study';

/** Stand-in. */
export function srReader(context: OhifContext): ReadSr {
  void context;
  return () => Promise.resolve(null);
}
