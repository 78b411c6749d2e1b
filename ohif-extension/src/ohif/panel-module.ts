/** The panel as OHIF takes it: a component that is one `<div>`, in which the panel's own React root renders. */
import { createElement, type ReactElement } from 'react';
import { PANEL_NAME } from '../id';
import { t } from '../i18n';
import { guarded } from './guarded';

export interface PanelEntry {
  name: string;
  iconName: string;
  iconLabel: string;
  label: string;
  component: () => ReactElement;
}

/** `mount` renders into an element and returns the function that takes everything away again. */
export function panelModule(mount: (container: HTMLElement) => () => void): PanelEntry[] {
  let unmount: (() => void) | null = null;
  const hold = (container: HTMLElement | null): void => {
    const end = unmount;
    unmount = null;
    if (end) guarded('close its panel', end, undefined);
    if (container) unmount = guarded('show its panel', () => mount(container), null);
  };
  const style = { height: '100%', width: '100%', overflow: 'hidden' };
  return [
    {
      name: PANEL_NAME,
      iconName: 'tab-patient-info',
      iconLabel: t('core.panelLabel'),
      label: t('core.panelLabel'),
      component: () => createElement('div', { ref: hold, style }),
    },
  ];
}
