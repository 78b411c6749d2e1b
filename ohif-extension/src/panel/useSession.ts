/** The session in React. */
import { useSyncExternalStore } from 'react';
import { store, type Session } from '../store/store';

const subscribe = (listener: () => void): (() => void) => store.subscribe(listener);

/**
 * What `choose` takes from the session; the component renders again when that changes. `choose` gives something that
 * is the same object as long as nothing changed: a value of the session, not a new list.
 */
export function useSession<Chosen>(choose: (session: Session) => Chosen): Chosen {
  return useSyncExternalStore(subscribe, () => choose(store.get()));
}
