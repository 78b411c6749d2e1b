import { core } from './core';
import { panel } from './panel';
import { viewport } from './viewport';

export const de = { core, panel, viewport };
