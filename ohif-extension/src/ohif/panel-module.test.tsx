import { createRoot, type Root } from 'react-dom/client';
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { panelModule } from './panel-module';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

let viewer: Root;
const page = document.createElement('div');

/** The panel as the viewer's own React renders it. */
function show(mount: (container: HTMLElement) => () => void): () => void {
  const Panel = panelModule(mount)[0]!.component;
  const render = (): void => act(() => viewer.render(<PanelOf panel={Panel} />));
  render();
  return render;
}

function PanelOf({ panel: Panel }: { panel: () => React.JSX.Element }): React.JSX.Element {
  return <Panel />;
}

beforeEach(() => (viewer = createRoot(page)));
afterEach(() => act(() => viewer.unmount()));

describe('the panel in the viewer', () => {
  it('is mounted once, stays when the viewer renders again, and is taken away with it', () => {
    const unmount = vi.fn();
    const mount = vi.fn(() => unmount);
    const again = show(mount);
    again();
    expect(mount).toHaveBeenCalledExactlyOnceWith(page.firstChild);
    expect(unmount).not.toHaveBeenCalled();
    act(() => viewer.render(null));
    expect(unmount).toHaveBeenCalledTimes(1);
  });

  it('stays empty when it fails, and the viewer goes on', () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    show(() => {
      throw new Error('no panel');
    });
    expect(page.firstElementChild?.childElementCount).toBe(0);
    expect(said).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('could not show its panel'), expect.anything());
  });
});
