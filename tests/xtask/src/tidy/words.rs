//! Words that must not be committed: marks of unfinished work, hidden tests, places outside the repository.

use anyhow::Result;

use super::{Finding, Tree};

/// A piece of text, the files it must not be in, and why.
struct Word {
    /// Split in two, so that this table does not find itself.
    text: (&'static str, &'static str),
    extensions: &'static [&'static str],
    why: &'static str,
}

const TEXT: &[&str] = &["md", "py", "rs", "sh", "tf", "toml", "yml"];

const WORDS: &[Word] = &[
    Word { text: ("dbg", "!("), extensions: &["rs"], why: "a debugging aid" },
    Word { text: ("todo", "!("), extensions: &["rs"], why: "unfinished work panics at run time" },
    Word { text: ("unimplemented", "!("), extensions: &["rs"], why: "unfinished work panics at run time" },
    Word {
        text: ("#[ig", "nore"),
        extensions: &["rs"],
        why: "a hidden test; skip with a printed reason instead",
    },
    Word {
        text: ("FIX", "ME"),
        extensions: TEXT,
        why: "say what is wrong as TODO(correctness), with the effect",
    },
    Word {
        text: ("XX", "X:"),
        extensions: TEXT,
        why: "say what is wrong as TODO(correctness), with the effect",
    },
    Word { text: ("/wo", "rk/"), extensions: TEXT, why: "a place of one machine" },
    Word { text: ("shared/", "design"), extensions: TEXT, why: "a document outside the repository" },
    Word { text: ("shared/", "reference"), extensions: TEXT, why: "a document outside the repository" },
    Word { text: ("<<<<", "<<< "), extensions: TEXT, why: "a merge that was not finished" },
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in tree.files() {
        let words: Vec<_> = WORDS
            .iter()
            .filter(|word| word.extensions.iter().any(|extension| path.ends_with(&format!(".{extension}"))))
            .map(|word| (format!("{}{}", word.text.0, word.text.1), word.why))
            .collect();
        if words.is_empty() {
            continue;
        }
        for (index, line) in tree.read(path)?.lines().enumerate() {
            for (text, why) in words.iter().filter(|(text, _)| line.contains(text.as_str())) {
                findings.push(Finding::new(format!("{path}:{}", index + 1), format!("`{text}`: {why}")));
            }
        }
    }
    Ok(findings)
}
