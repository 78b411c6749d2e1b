import { describe, expect, it, vi } from 'vitest';
import { forbidsCompiling } from './policy';

const answering = (policy?: string) => () =>
  Promise.resolve(new Response(null, { headers: policy === undefined ? {} : { 'Content-Security-Policy': policy } }));

describe('a page', () => {
  it.each([
    ["default-src 'self'; script-src 'self' 'sha256-x'", true],
    ["default-src 'self'", true],
    ["script-src 'self' 'unsafe-eval'", false],
    ["frame-ancestors 'self'", false],
    [undefined, false],
  ])('with the policy %s forbids compiling: %s', async (policy, forbidden) => {
    vi.stubGlobal('fetch', answering(policy));
    expect(await forbidsCompiling()).toBe(forbidden);
  });

  it('that does not answer forbids nothing', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    expect(await forbidsCompiling()).toBe(false);
  });
});
