//! The modules of `src/`: what each defines, imports and names, and which file a path leads to.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::source::{self, Source};

/// All modules, and every path that is written in one of them.
pub(crate) struct Modules {
    modules: Vec<Module>,
    pub(crate) uses: Vec<Use>,
}

/// One module. Those inside a file are modules of their own with the same file.
struct Module {
    /// From the root of the crate; empty for `lib.rs`.
    path: Vec<String>,
    parent: Option<usize>,
    /// The index of its file in the sources, if that is among them.
    file: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: Vec<(String, Vec<String>)>,
    globs: Vec<Vec<String>>,
}

/// A path that is written in a module, outside of what is compiled for tests alone.
pub(crate) struct Use {
    module: usize,
    /// The index of its file in the sources.
    pub(crate) file: usize,
    pub(crate) line: usize,
    /// As written: `["super", "disk", "Disk"]`. An import by a group is one path a name.
    pub(crate) path: Vec<String>,
    pub(crate) kind: Kind,
}

/// What a path is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To name something: also by an import.
    Name,
    /// To call a macro.
    Macro,
    /// To pass on what another module defines: `pub use`.
    Reexport,
}

/// What a path leads to.
#[derive(Clone)]
enum Found {
    Module(usize),
    Item(Item),
}

/// Something that is defined in a file and has a name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    /// The index in the sources.
    pub(crate) file: usize,
    pub(crate) name: String,
}

/// What a name is looked up for: a segment with more behind it can be no function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sought {
    Module,
    Anything,
}

const ROOT: usize = 0;

impl Modules {
    /// The modules of those sources that `is_kept`.
    pub(crate) fn of(sources: &[Source], is_kept: impl Fn(usize) -> bool) -> Self {
        let root = Module::new(Vec::new(), None, None);
        let mut modules = Self { modules: vec![root], uses: Vec::new() };
        // A parent comes before its children, whichever way its file is named.
        let mut files: Vec<_> = sources
            .iter()
            .enumerate()
            .filter(|(file, _)| is_kept(*file))
            .filter_map(|(file, source)| Some((module_path(source.in_src()?), file)))
            .collect();
        files.sort();
        for (path, file) in &files {
            let module = modules.at(path);
            modules.modules[module].file = Some(*file);
        }
        for (path, file) in files {
            let module = modules.at(&path);
            Reader { modules: &mut modules, module, file }.visit_file(sources[file].kept());
        }
        modules
    }

    /// The module at `path`, which is made if there is none.
    fn at(&mut self, path: &[String]) -> usize {
        let mut module = ROOT;
        for name in path {
            module = self.child(module, name);
        }
        module
    }

    fn child(&mut self, parent: usize, name: &str) -> usize {
        if let Some(child) = self.modules[parent].children.get(name) {
            return *child;
        }
        let mut path = self.modules[parent].path.clone();
        path.push(name.to_owned());
        let child = self.modules.len();
        self.modules.push(Module::new(path, Some(parent), self.modules[parent].file));
        self.modules[parent].children.insert(name.to_owned(), child);
        child
    }

    /// What the path leads to, if that is an item of this crate.
    ///
    /// A path through a re-export leads to the file that defines the item. A name that is not
    /// found, because a macro defines it, is taken to be in the module's own file.
    pub(crate) fn target(&self, used: &Use) -> Option<Item> {
        match self.resolve(used.module, &used.path, &mut Vec::new())? {
            Found::Item(item) => Some(item),
            Found::Module(_) => None,
        }
    }

    /// The path from the root of the crate, of a path that starts with `crate`, `super` or `self`.
    pub(crate) fn absolute(&self, used: &Use) -> Option<Vec<String>> {
        let (module, rest) = self.anchor(used.module, &used.path)?;
        let mut path = self.modules[module?].path.clone();
        path.extend_from_slice(rest);
        Some(path)
    }

    /// Whether the path climbs to the crate's root by `super`.
    pub(crate) fn climbs_to_the_root(&self, used: &Use) -> bool {
        used.path[0] == "super"
            && self
                .anchor(used.module, &used.path)
                .is_some_and(|(module, _)| module.is_none_or(|module| module == ROOT))
    }

    /// The module where a path with a fixed start begins, and the rest of the path. No module lies
    /// above the root.
    fn anchor<'p>(&self, from: usize, path: &'p [String]) -> Option<(Option<usize>, &'p [String])> {
        let mut module = match path[0].as_str() {
            "crate" | "splitbrain" => Some(ROOT),
            "self" => Some(from),
            "super" => self.modules[from].parent,
            _ => return None,
        };
        let mut rest = &path[1..];
        while rest.first().is_some_and(|name| name == "super") {
            module = module.and_then(|module| self.modules[module].parent);
            rest = &rest[1..];
        }
        Some((module, rest))
    }

    fn resolve(
        &self,
        from: usize,
        path: &[String],
        seen: &mut Vec<(usize, String)>,
    ) -> Option<Found> {
        let (mut module, rest, anchored) = match self.anchor(from, path) {
            Some((module, rest)) => (module?, rest, true),
            None => (from, path, false),
        };
        for (at, name) in rest.iter().enumerate() {
            let sought = if at + 1 < rest.len() { Sought::Module } else { Sought::Anything };
            match self.lookup(module, name, sought, seen) {
                Some(Found::Module(next)) => module = next,
                Some(item @ Found::Item(_)) => return Some(item),
                None if at == 0 && !anchored => return None,
                None => return self.item(module, name),
            }
        }
        Some(Found::Module(module))
    }

    fn item(&self, module: usize, name: &str) -> Option<Found> {
        let file = self.modules[module].file?;
        Some(Found::Item(Item { file, name: name.to_owned() }))
    }

    /// What `name` is in the module. `seen` holds the names whose import is being followed.
    fn lookup(
        &self,
        module: usize,
        name: &str,
        sought: Sought,
        seen: &mut Vec<(usize, String)>,
    ) -> Option<Found> {
        let here = &self.modules[module];
        let child = here.children.get(name).map(|child| Found::Module(*child));
        if sought == Sought::Module && child.is_some() {
            return child;
        }
        if here.items.contains(name) {
            return self.item(module, name);
        }
        let key = (module, name.to_owned());
        if seen.contains(&key) {
            return child;
        }
        seen.push(key);
        let by_name = here.imports.iter().filter(|(known, _)| known == name);
        let by_name = by_name.filter_map(|(_, path)| self.resolve(module, path, seen)).next();
        let found = by_name.or_else(|| {
            let modules = here.globs.iter().filter_map(|path| {
                match self.resolve(module, path, &mut seen.clone()) {
                    Some(Found::Module(from)) if from != module => Some(from),
                    _ => None,
                }
            });
            modules.filter_map(|from| self.lookup(from, name, sought, &mut seen.clone())).next()
        });
        seen.pop();
        found.or(child)
    }
}

impl Module {
    fn new(path: Vec<String>, parent: Option<usize>, file: Option<usize>) -> Self {
        Self {
            path,
            parent,
            file,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            globs: Vec::new(),
        }
    }
}

/// The module of a file: `sim/disk.rs` and `sim/disk/mod.rs` are `sim::disk`.
pub(crate) fn module_path(file: &str) -> Vec<String> {
    let mut path: Vec<String> =
        file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
        path.pop();
    }
    path
}

/// Walks through one module.
struct Reader<'m> {
    modules: &'m mut Modules,
    module: usize,
    file: usize,
}

impl Reader<'_> {
    fn define(&mut self, name: &syn::Ident) {
        self.modules.modules[self.module].items.insert(name.to_string());
    }

    fn uses(&mut self, path: Vec<String>, span: Span, kind: Kind) {
        // `Self::X` is what `impl` names already.
        if path.first().is_none_or(|first| first == "Self") {
            return;
        }
        let line = source::line(span);
        self.modules.uses.push(Use { module: self.module, file: self.file, line, path, kind });
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String], kind: Kind) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            if name != "self" || path.is_empty() {
                path.push(name.to_string());
            }
            path
        };
        match tree {
            syn::UseTree::Path(inner) => self.import(&inner.tree, &with(&inner.ident), kind),
            syn::UseTree::Name(inner) => {
                let path = with(&inner.ident);
                let name = path.last().unwrap().clone();
                self.uses(path.clone(), inner.ident.span(), kind);
                self.modules.modules[self.module].imports.push((name, path));
            }
            syn::UseTree::Rename(inner) => {
                let path = with(&inner.ident);
                self.uses(path.clone(), inner.ident.span(), kind);
                let name = inner.rename.to_string();
                self.modules.modules[self.module].imports.push((name, path));
            }
            syn::UseTree::Glob(inner) => {
                self.uses(before.to_vec(), inner.star_token.spans[0], kind);
                self.modules.modules[self.module].globs.push(before.to_vec());
            }
            syn::UseTree::Group(inner) => {
                for tree in &inner.items {
                    self.import(tree, before, kind);
                }
            }
        }
    }

    /// The paths among the tokens of a macro or an attribute.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, sign: char| match tokens.get(at) {
            Some(TokenTree::Punct(found)) => found.as_char() == sign,
            _ => false,
        };
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(first) if at == 0 || !is(at - 1, '.') => {
                    let mut path = vec![first.to_string()];
                    while is(at + 1, ':') && is(at + 2, ':') {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    let is_call = is(at + 1, '!') && !is(at + 2, '=');
                    let kind = if is_call { Kind::Macro } else { Kind::Name };
                    self.uses(path, first.span(), kind);
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let Some((_, items)) = &item.content else { return };
        let outer = self.module;
        self.module = self.modules.child(outer, &item.ident.to_string());
        for item in items {
            self.visit_item(item);
        }
        self.module = outer;
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Const(item) => self.define(&item.ident),
            syn::Item::Enum(item) => self.define(&item.ident),
            syn::Item::Fn(item) => self.define(&item.sig.ident),
            syn::Item::Macro(syn::ItemMacro { ident: Some(name), .. }) => self.define(name),
            syn::Item::Static(item) => self.define(&item.ident),
            syn::Item::Struct(item) => self.define(&item.ident),
            syn::Item::Trait(item) => self.define(&item.ident),
            syn::Item::Type(item) => self.define(&item.ident),
            syn::Item::Union(item) => self.define(&item.ident),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let kind = match item.vis {
            syn::Visibility::Inherited => Kind::Name,
            syn::Visibility::Public(_) | syn::Visibility::Restricted(_) => Kind::Reexport,
        };
        self.import(&item.tree, &[], kind);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.uses(names, path.segments[0].ident.span(), Kind::Name);
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let names = call.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.uses(names, call.path.segments[0].ident.span(), Kind::Macro);
        self.scan(call.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.visit_path(&list.path);
        self.scan(list.tokens.clone());
    }
}
