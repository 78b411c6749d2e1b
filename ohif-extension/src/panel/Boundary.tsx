/** What is left of the panel when something in it breaks: the viewer goes on, and the reader is told. */
import { Component, type ReactNode } from 'react';
import { t } from '../i18n';
import { Button } from './Button';

export class Boundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    if (!this.state.broken) return this.props.children;
    return (
      <section className="pa-root" aria-label={t('core.panelLabel')} data-pa="panel" data-state="broken">
        <div className="pa-state" role="alert">
          <h3>{t('panel.broken')}</h3>
          <p>{t('panel.brokenWhat')}</p>
          <div>
            <Button icon="turn" onPress={() => this.setState({ broken: false })}>
              {t('panel.tryAgain')}
            </Button>
          </div>
        </div>
      </section>
    );
  }
}
