/** The version of this program, as `--version` prints it. */
export const VERSION = "4.0.0";
