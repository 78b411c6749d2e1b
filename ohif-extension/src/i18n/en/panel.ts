/** Texts of the panel. */
export const panel = {} as const;
