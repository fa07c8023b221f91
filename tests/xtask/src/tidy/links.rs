//! Links between the pages of the repository: the file is there, and so is the heading.
//!
//! Looks at inline links (`[text](target)`) outside code. Links to other sites are left alone: whether they answer is
//! not a property of this repository.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for page in tree.with_extension("md") {
        let text = tree.read(page)?;
        for (line, target) in links(&text) {
            if let Some(problem) = broken(tree, page, target)? {
                findings.push(Finding::new(format!("{page}:{line}"), format!("link to {target}: {problem}")));
            }
        }
    }
    Ok(findings)
}

/// Every link target of a page that is not in code, with its line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, next)) = after.split_once(')') else { break };
            // A title may follow the target.
            if let Some(target) = target.split_whitespace().next() {
                found.push((number, target));
            }
            rest = next;
        }
    }
    found
}

/// The lines of a page that are not inside a fenced block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        if fence {
            fenced = !fenced;
        }
        !fenced && !fence
    })
}

fn broken(tree: &Tree, page: &str, target: &str) -> Result<Option<String>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (file, heading) = match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (target, None),
    };
    let linked = if file.is_empty() { Some(page.to_owned()) } else { resolve(page, file) };
    let Some(linked) = linked else { return Ok(Some("leads out of the repository".to_owned())) };
    if !tree.has(&linked) {
        return Ok(Some("no such file".to_owned()));
    }
    match heading {
        Some(heading) if linked.ends_with(".md") => {
            let explicit = format!("<a id=\"{heading}\">");
            let known = prose(&tree.read(&linked)?)
                .any(|(_, line)| line.contains(&explicit) || anchor(line).as_deref() == Some(heading));
            Ok((!known).then(|| "no such heading".to_owned()))
        }
        _ => Ok(None),
    }
}

/// The path of `file` as seen from the directory of `page`; `None` when it climbs out of the repository.
fn resolve(page: &str, file: &str) -> Option<String> {
    let mut path = PathBuf::from(page);
    path.pop();
    for component in Path::new(file).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    Some(path.to_string_lossy().into_owned())
}

/// The anchor that code hosts give to a heading: lower case, no punctuation, hyphens for spaces.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}
