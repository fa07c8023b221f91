//! The reference page of the configuration file, made from the same keys that the checker reads.

use std::fmt::Write as _;

use super::SECTIONS;

/// The whole page as Markdown. `docs/reference/configuration.md` is this text; a test compares them.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Configuration of enigma-collector\n\n\
         <!-- Generated: `enigma-collector config-reference`. Change the keys in the code, not this page. -->\n\n\
         One TOML file: `/etc/enigma/collector.toml`, or `--config FILE`. Every key is optional. Unknown keys are\n\
         mistakes, and all mistakes are reported in one run: `enigma-collector check-config FILE`. Sizes are whole\n\
         numbers of bytes or text with B, KiB, MiB or GiB; durations are text such as `\"500us\"`, `\"30s\"`, `\"1h 30m\"`.\n",
    );
    for section in SECTIONS {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "\n## `[{}]`\n\n{}", section.name, section.about);
        for key in section.keys {
            let _ = writeln!(
                page,
                "\n### `{}`\n\n{}\n\n- Default: `{}`\n- Allowed: {}\n- Why this default: {}",
                key.path(),
                key.meaning,
                key.default,
                key.allowed,
                key.reason
            );
        }
    }
    page
}
