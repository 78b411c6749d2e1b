/** A form takes the focus when it opens, is brought into view, and gives the focus back however it is closed. */
import { useLayoutEffect, type RefObject } from 'react';

/** `first` names the control that is used first, `back` the one the form was opened from: in its finding, or the panel. */
export function useFormFocus(form: RefObject<HTMLElement | null>, first: string, back: string): void {
  useLayoutEffect(() => {
    const box = form.current;
    box?.querySelector<HTMLElement>(first)?.focus({ preventScroll: true });
    box?.scrollIntoView({ block: 'nearest' });
    return () => {
      if (box === null || !box.contains(document.activeElement)) return;
      const around = box.closest('[data-finding]') ?? box.closest('.pa-root');
      around?.querySelector<HTMLElement>(back)?.focus({ preventScroll: true });
    };
  }, [form, first, back]);
}
