/** Where the agent is: as the viewer's configuration says, else where the plugin came from. */

interface AgentConfig {
  pacsAgent: { url: string };
}

/**
 * The agent's base address without a slash at its end.
 *
 * `configurations` are looked through in order for `pacsAgent.url`, which may be relative to the page; `moduleUrl` is
 * the address of the plugin's own module.
 */
export function agentBase(configurations: readonly unknown[], moduleUrl: string, pageUrl: string): string {
  const configured = configurations.find(isAgentConfig)?.pacsAgent.url;
  const base = configured === undefined ? new URL(moduleUrl).origin : new URL(configured, pageUrl).href;
  return base.replace(/\/+$/, '');
}

function isAgentConfig(config: unknown): config is AgentConfig {
  const known = typeof config === 'object' || typeof config === 'function';
  if (!known || config === null || !('pacsAgent' in config)) return false;
  const { pacsAgent } = config;
  return typeof pacsAgent === 'object' && pacsAgent !== null && 'url' in pacsAgent && typeof pacsAgent.url === 'string';
}
