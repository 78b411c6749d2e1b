/** The focus goes back to where a form was opened from, however it is closed. */
import { useLayoutEffect, type RefObject } from 'react';

/** `back` names the control, looked for in the finding of the form or else in the whole panel. */
export function useReturningFocus(form: RefObject<HTMLElement | null>, back: string): void {
  useLayoutEffect(() => {
    const box = form.current;
    return () => {
      if (box === null || !box.contains(document.activeElement)) return;
      const around = box.closest('[data-finding]') ?? box.closest('.pa-root');
      around?.querySelector<HTMLElement>(back)?.focus({ preventScroll: true });
    };
  }, [form, back]);
}
