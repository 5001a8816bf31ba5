//! Every corpus again, and a fixed number of mutations of it: the smoke run, for any compiler.

use cache_fuzzing::{
    TARGETS, Target,
    mutation::{Chances, mutated},
};
use std::{fs, path::PathBuf};

/// What is committed for a target, in the order of names, behind its seeds.
fn pool(target: &Target) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("the folder is read").path()).collect();
    paths.sort();
    let committed = paths.iter().map(|path| fs::read(path).expect("the corpus is read"));
    (target.seeds)().into_iter().chain(committed).collect()
}

fn smoke(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("there is such a target");
    let pool = pool(target);
    pool.iter().for_each(|bytes| (target.check)(bytes));
    let mut chances = Chances::new(1);
    for _run in 0..target.smoke_runs {
        let bytes = mutated(&pool, &mut chances);
        (target.check)(&bytes);
    }
}

macro_rules! smoke {
    ($($target:ident)+) => {
        $(
            mod $target {
                #[test]
                fn keeps_its_promises_on_its_corpus_and_mutations_of_it() {
                    super::smoke(stringify!($target));
                }
            }
        )+

        #[test]
        fn every_target_is_tried() {
            let tried = [$(stringify!($target)),+];
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), tried);
        }
    };
}

smoke! { address admission canonical entry frame graphql message not_modified record session simulator }
