/** Arrow keys walk over many controls of which Tab reaches one (WAI-ARIA Authoring Practices, roving tabindex). */
const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowRight: 1,
  ArrowUp: -1,
  ArrowLeft: -1,
  Home: -Infinity,
  End: Infinity,
};

/** Moves the focus among the visible elements of `selector`, and keeps the key from the viewer, which scrolls images by it. */
export function walk(event: React.KeyboardEvent, box: HTMLElement | null, selector: string): void {
  const step = STEPS[event.key];
  if (step === undefined || box === null || !(event.target instanceof HTMLElement) || !event.target.matches(selector))
    return;
  const stops = [...box.querySelectorAll<HTMLElement>(selector)].filter(
    (stop) => stop.closest('details:not([open])') === null,
  );
  const at = stops.indexOf(event.target) + step;
  stops[Math.min(stops.length - 1, Math.max(0, at))]?.focus();
  event.preventDefault();
  event.stopPropagation();
}
