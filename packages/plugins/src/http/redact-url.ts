/**
 * A URL fit for a result: without user, password and fragment, and with every query value hidden, because no list of
 * names tells all secret ones. A text that is no URL is hidden whole. At most 250 characters.
 */
export function redactUrl(text: string, base?: string): string {
  if (!URL.canParse(text, base)) return "(unreadable address)";
  const { origin, pathname, searchParams } = new URL(text, base);
  const query = [...searchParams.keys()].map((name) => `${encodeURIComponent(name)}=***`).join("&");
  return `${origin}${pathname}${query && `?${query}`}`.slice(0, 250);
}
