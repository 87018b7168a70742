import { randomUUID } from "node:crypto";

/** The only place of this package that draws random numbers. */
export const newId = (): string => randomUUID();

/** A number from 0 up to, not including, 1. */
export const random = (): number => Math.random();
