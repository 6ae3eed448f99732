//! Source files, read by `syn`.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// One file of Rust.
pub(crate) struct Source {
    /// From the top of the repository, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) whole: syn::File,
    /// The same without the items that `#[cfg(test)]` stands before, if there are any.
    without_tests: Option<syn::File>,
}

impl Source {
    /// # Panics
    ///
    /// Where `text` is not a file of Rust.
    pub(crate) fn new(path: &str, text: String) -> Self {
        let parse = |tokens: TokenStream| {
            syn::parse2(tokens).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let tokens: TokenStream =
            text.parse().unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
        let mut found = false;
        let without_tests = without_tests(tokens.clone(), &mut found);
        let without_tests = found.then(|| parse(without_tests));
        Self { path: path.to_owned(), text, whole: parse(tokens), without_tests }
    }

    /// What is compiled outside of tests.
    pub(crate) fn kept(&self) -> &syn::File {
        self.without_tests.as_ref().unwrap_or(&self.whole)
    }

    /// The path from `src/`, of a file that is in there.
    pub(crate) fn in_src(&self) -> Option<&str> {
        self.path.strip_prefix("src/")
    }
}

/// Every file of Rust beneath these folders of `root`, by path.
pub(crate) fn read(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in folders {
        collect(root, &root.join(folder), &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let parts: Vec<_> = path
                .strip_prefix(root)
                .unwrap()
                .iter()
                .map(|part| part.to_str().unwrap())
                .collect();
            sources.push(Source::new(&parts.join("/"), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The line of a token, counted from 1.
pub(crate) fn line(span: Span) -> usize {
    span.start().line
}

/// Whether the attribute is `#[cfg(test)]`.
pub(crate) fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("cfg") && list.tokens.to_string() == "test"
}

/// The tokens without the items after `#[cfg(test)]`. Fields and variants stay.
///
/// `found` becomes true if there is one.
fn without_tests(tokens: TokenStream, found: &mut bool) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = end_of_test_item(&tokens[at..]) {
            *found = true;
            at += end;
            continue;
        }
        kept.push(match &tokens[at] {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_tests(group.stream(), found));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            token => token.clone(),
        });
        at += 1;
    }
    kept.into_iter().collect()
}

/// How many tokens the item has that starts with `#[cfg(test)]`, if one does.
fn end_of_test_item(tokens: &[TokenTree]) -> Option<usize> {
    const ITEMS: [&str; 13] = [
        "mod", "fn", "use", "impl", "struct", "enum", "const", "static", "type", "trait", "pub",
        "async", "unsafe",
    ];
    let mut at =
        attribute(tokens).filter(|text| text == "cfg (test)" || text == "cfg(test)").map(|_| 2)?;
    while attribute(&tokens[at..]).is_some() {
        at += 2;
    }
    let TokenTree::Ident(first) = tokens.get(at)? else { return None };
    if !ITEMS.contains(&first.to_string().as_str()) {
        return None;
    }
    let last = tokens[at..].iter().position(|token| match token {
        TokenTree::Punct(sign) => sign.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    })?;
    Some(at + last + 1)
}

/// What is inside the attribute that starts here.
fn attribute(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [TokenTree::Punct(sign), TokenTree::Group(group), ..]
            if sign.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
        {
            Some(group.stream().to_string())
        }
        _ => None,
    }
}
