const REDACTED = "[redacted]";

const SECRET_KEY = "pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential";
/** A quoted text (also inside a JSON string, and cut off without its end), or everything up to a separator. */
const VALUE = String.raw`(?:\\"[^"\\\n]{0,4096}(?:\\")?|"(?:[^"\\\n]|\\.){0,4096}"?|'[^'\n]{0,4096}'?|[^\s,;&"'}\])]+)`;

/**
 * Invariant: every quantifier either is bounded or consumes what it scanned (an unclosed quote or PEM block matches to
 * the end instead of failing), so a hostile text costs time linear in its length.
 */
const RULES: readonly [pattern: RegExp, replacement: string][] = [
  [/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,60}-----|$)/g, REDACTED],
  // A PEM body seen line by line, without its first line. A lower-case hash is none.
  [/^(?=[^A-Z\n]{0,64}[A-Z])(?=[^a-z\n]{0,64}[a-z])[A-Za-z0-9+/]{64,76}$/gm, REDACTED],
  [/(:\/\/[^\s/:@]{0,256}:)[^\s/]{1,256}@/g, `$1${REDACTED}@`],
  [/(authorization\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?)[^\n"'\\]{1,4096}/gi, `$1${REDACTED}`],
  [/\b(bearer\s{1,4})[\w.~+/=-]{8,}/gi, `$1${REDACTED}`],
  [/(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, REDACTED],
  [/\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}/g, REDACTED],
  [/\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{8,})/g, REDACTED],
  [/\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b/g, REDACTED],
  [
    new RegExp(
      String.raw`((?:${SECRET_KEY})[\w.-]{0,32}\\?["']?\s{0,4}[:=]\s{0,4})(?!\\?["']?\[redacted\])${VALUE}`,
      "gi",
    ),
    `$1${REDACTED}`,
  ],
  [
    new RegExp(
      String.raw`((?:^|\s)--?[\w-]{0,32}(?:${SECRET_KEY})[\w-]{0,32}\s{1,4})(?![-\s]|\[redacted\])${VALUE}`,
      "gi",
    ),
    `$1${REDACTED}`,
  ],
];

/**
 * Replaces the values of what looks like a secret by `[redacted]`: values of secret-looking keys and flags, bearer
 * tokens, well-known token shapes, private keys, passwords in URLs. Costs time linear in the text.
 */
export const redact = (text: string): string =>
  RULES.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
