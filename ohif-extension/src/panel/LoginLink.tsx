/** The way to the agent's login. A viewer of another origin stays as it is: the login opens in a tab of its own. */
import { t } from '../i18n';

export function LoginLink({ login, main = false }: { login: string; main?: boolean }): React.JSX.Element {
  const away = new URL(login, location.href).origin !== location.origin;
  return (
    <a
      className={main ? 'pa-button pa-button-main pa-login' : 'pa-button pa-login'}
      href={login}
      data-pa="login"
      {...(away && { target: '_blank', rel: 'noopener', title: t('panel.loginNewTab') })}
    >
      {t('panel.login')}
    </a>
  );
}
