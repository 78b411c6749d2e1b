/** The note beside the image: which slice of the agent's series this is, and what the finding weighs on it. */

const STYLE: Partial<CSSStyleDeclaration> = {
  position: 'absolute',
  right: '24px',
  top: '36px',
  textAlign: 'right',
  font: '12px/1.4 Inter, system-ui, sans-serif',
  color: '#a8ccff',
  textShadow: '0 0 2px #000, 0 0 4px #000',
  whiteSpace: 'pre-line',
  maxWidth: 'calc(50% - 24px)', // the viewer's own texts are on the left
  pointerEvents: 'none',
};

export class Note {
  readonly element: HTMLDivElement;

  constructor() {
    this.element = document.createElement('div');
    this.element.dataset['pa'] = 'slice-note';
    Object.assign(this.element.style, STYLE);
  }

  /** Shows lines of text; none hides the note. */
  show(lines: readonly string[]): void {
    const text = lines.join('\n');
    if (this.element.textContent !== text) this.element.textContent = text;
  }
}
