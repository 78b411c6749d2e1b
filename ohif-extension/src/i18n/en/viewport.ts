/** Texts of the viewport. */
export const viewport = {} as const;
