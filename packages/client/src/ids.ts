/** Chance, in one place; whoever needs it takes it as an argument. */
export const random: () => number = Math.random;
