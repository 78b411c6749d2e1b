// @vitest-environment node
import { describe, expect, it } from 'vitest';
import { agentBase } from './base';

const MODULE = 'https://agent.example:8042/plugins/pacs-agent/extension.js';
const PAGE = 'https://viewer.example/viewer?StudyInstanceUIDs=1.2';

describe('the address of the agent', () => {
  it('is where the plugin came from', () => {
    expect(agentBase([undefined, {}], MODULE, PAGE)).toBe('https://agent.example:8042');
  });

  it.each([
    ['as configured', { pacsAgent: { url: 'https://ai.example/' } }, 'https://ai.example'],
    ['below a path', { pacsAgent: { url: 'https://ai.example/agent/' } }, 'https://ai.example/agent'],
    ['relative to the page', { pacsAgent: { url: '/agent' } }, 'https://viewer.example/agent'],
  ])('is %s', (_, config, base) => {
    expect(agentBase([config], MODULE, PAGE)).toBe(base);
  });

  it('is found on a configuration that is a function', () => {
    const config = Object.assign(() => ({}), { pacsAgent: { url: 'https://ai.example' } });
    expect(agentBase([{}, config], MODULE, PAGE)).toBe('https://ai.example');
  });
});
