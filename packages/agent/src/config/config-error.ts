/** The file a person wrote is wrong; the message says where and what to write instead. */
export class ConfigError extends Error {
  override name = "ConfigError";
}
