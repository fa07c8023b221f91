//! The reference page of records.

use std::fmt::Write as _;

use super::{VERSION, written};

/// The whole page as Markdown. `docs/reference/records.md` is this text; a test compares them.
pub(crate) fn page() -> String {
    let mut page = format!(
        "# Records of enigma-collector\n\n\
         <!-- Generated: `enigma-collector records-reference`. Change the fields in the code, not this page. -->\n\n\
         One JSON object a line, one file a stream. Names, types and units of fields are Zeek's, so that what reads Zeek's JSON\n\
         logs reads these; fields of our own begin with `enigma.`. A field without a value is left out. Times are seconds since\n\
         1970 (UTC) with six decimals. Text that is not UTF-8 has its bytes as `\\xNN`. The same as a JSON Schema, one definition a\n\
         stream: [records.schema.json](records.schema.json). On standard output, where all streams come one behind the other, each\n\
         record begins with `_path`, the name of its stream. How to join and feed them, and which of Zeek's fields are not here:\n\
         [using the collector's records](../guides/records.md).\n\n\
         Version {VERSION} of the fields. Fields may be added within a version; one that goes or changes its meaning is a new version.\n"
    );
    for fields in written() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "\n## `{}`\n\n{} Source of the fields: <{}>.\n",
            fields.stream, fields.about, fields.source
        );
        let _ = writeln!(page, "| field | type | in every record | meaning |\n|---|---|---|---|");
        for field in fields.all() {
            let always = if field.always { "yes" } else { "" };
            let _ =
                writeln!(page, "| `{}` | {} | {always} | {} |", field.name, field.kind.shown(), field.about);
        }
    }
    page
}
