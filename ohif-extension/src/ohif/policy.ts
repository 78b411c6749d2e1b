/** What the page's Content Security Policy forbids the viewer. */

/** Whether code made at run time is refused. Asked of the server: trying it would be a violation that is reported. */
export async function forbidsCompiling(): Promise<boolean> {
  try {
    const { headers } = await fetch(location.href, { method: 'HEAD' });
    const policy = headers.get('Content-Security-Policy') ?? '';
    return /\b(script|default)-src\b/.test(policy) && !policy.includes("'unsafe-eval'");
  } catch (error) {
    if (error instanceof TypeError) return false; // no answer: the viewer is left as it is
    throw error;
  }
}
