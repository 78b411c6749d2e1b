/** What a screen reader says of changes that happen away from the focus. */
import { Observed } from './observed';

export const announced = new Observed<string>('');

export function announce(text: string): void {
  announced.set(text);
}
