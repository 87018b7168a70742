/** The most objects of one page, and of one bulk mutation. */
export const MAX_PAGE = 500;
