//! No circle of files: who needs whom, by file. That a file needs the one its own folder is declared in (`mod.rs`, or the
//! file of the folder's name) is not counted: it is a part of that.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Crate, Module};

/// Each circle: its files, and one import for each step.
pub(crate) fn circles(all: &Crate) -> Vec<Vec<Module>> {
    let graph = imports(all);
    let reach: BTreeMap<&Module, BTreeSet<&Module>> = graph.keys().map(|file| (file, reached(&graph, file))).collect();
    let mut found: Vec<Vec<Module>> = Vec::new();
    for file in graph.keys() {
        let circle: Vec<Module> = graph
            .keys()
            .filter(|other| reach[file].contains(other) && reach.get(other).is_some_and(|back| back.contains(file)))
            .cloned()
            .collect();
        if !circle.is_empty() && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

/// Which files a file imports from, its own door left out.
fn imports(all: &Crate) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut graph: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for source in &all.sources {
        let needs = graph.entry(source.module.clone()).or_default();
        for named in all.named(source) {
            let Some(home) = named.ours.map(|path| all.home(&path)) else { continue };
            if !source.module.starts_with(&home) {
                needs.insert(home);
            }
        }
    }
    graph
}

fn reached<'a>(graph: &'a BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&Module> = graph.get(from).into_iter().flatten().collect();
    while let Some(file) = open.pop() {
        if seen.insert(file) {
            open.extend(graph.get(file).into_iter().flatten());
        }
    }
    seen
}
