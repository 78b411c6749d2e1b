import type { viewport as english } from '../en/viewport';

export const viewport: Record<keyof typeof english, string> = {};
