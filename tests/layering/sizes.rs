//! How long a file, a function and a line may be, and what a parameter may look like.

use syn::visit::{self, Visit};

use crate::rules::{Breach, Rule};
use crate::source::{self, Source};

/// The most lines of a file.
pub(crate) const FILE: usize = 600;

/// The most lines of a function, from `fn` to its last brace.
pub(crate) const FUNCTION: usize = 80;

/// The most characters of a line.
pub(crate) const WIDTH: usize = 100;

pub(crate) fn breaches(sources: &[Source]) -> Vec<Breach> {
    sources.iter().flat_map(breaches_of).collect()
}

fn breaches_of(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE {
        let what = format!("{lines} lines, and a file has at most {FILE}");
        breaches.push(Breach::new(Rule::FileLength, source, lines, what));
    }
    for (at, line) in source.text.lines().enumerate() {
        let width = line.chars().count();
        if width > WIDTH {
            let what = format!("{width} characters, and a line has at most {WIDTH}");
            breaches.push(Breach::new(Rule::LineWidth, source, at + 1, what));
        }
    }
    let mut functions = Functions { source, breaches, trait_is_public: false };
    functions.visit_file(&source.whole);
    functions.breaches
}

struct Functions<'s> {
    source: &'s Source,
    breaches: Vec<Breach>,
    trait_is_public: bool,
}

impl Functions<'_> {
    fn function(&mut self, is_public: bool, signature: &syn::Signature, body: Option<&syn::Block>) {
        let name = &signature.ident;
        let first = source::line(signature.fn_token.span);
        if let Some(body) = body {
            let lines = source::line(body.brace_token.span.close()) - first + 1;
            if lines > FUNCTION {
                let what = format!("`{name}` has {lines} lines, a function at most {FUNCTION}");
                self.breaches.push(Breach::new(Rule::FunctionLength, self.source, first, what));
            }
        }
        for parameter in &signature.inputs {
            if let syn::FnArg::Typed(parameter) = parameter
                && is_public
                && has_tuple(&parameter.pat)
            {
                let what = format!("`{name}` takes a tuple apart: give its parts names");
                self.breaches.push(Breach::new(Rule::TupleParameter, self.source, first, what));
            }
        }
    }
}

fn is_public(visibility: &syn::Visibility) -> bool {
    !matches!(visibility, syn::Visibility::Inherited)
}

fn has_tuple(pattern: &syn::Pat) -> bool {
    struct Tuples(bool);
    impl<'ast> Visit<'ast> for Tuples {
        fn visit_pat_tuple(&mut self, _: &'ast syn::PatTuple) {
            self.0 = true;
        }
    }
    let mut tuples = Tuples(false);
    tuples.visit_pat(pattern);
    tuples.0
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(is_public(&item.vis), &item.sig, Some(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(is_public(&item.vis), &item.sig, Some(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let outer = std::mem::replace(&mut self.trait_is_public, is_public(&item.vis));
        visit::visit_item_trait(self, item);
        self.trait_is_public = outer;
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(self.trait_is_public, &item.sig, item.default.as_ref());
        visit::visit_trait_item_fn(self, item);
    }
}
