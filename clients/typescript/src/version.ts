/** The version of this package, which its user agent names; a test compares it with package.json. */
export const VERSION = "0.1.0";
