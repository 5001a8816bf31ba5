//! The engine's rules as scripts: inputs, a line, and the exact outputs.
//!
//! Every `scripts/*.script` is played against an engine of its own and compared word for word.
//! `BLESS=1 cargo test -p cache-core --test scripts` writes what the engine does now in place of what the
//! scripts say; read the difference before committing it. `scripts/README.md` explains the language.

mod scripts_support;

use scripts_support::{player::Player, script::Script};
use std::{env, fs, path::PathBuf};

#[test]
fn every_script_plays_as_written() {
    let bless = env::var_os("BLESS").is_some();
    let mut different = Vec::new();
    for path in script_paths() {
        println!("playing {}", path.display());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "a script begins with the rule that it shows");
        let mut script = Script::parse(&text);
        let mut player = Player::new();
        for step in &mut script.steps {
            step.outputs = player.play(&step.inputs);
        }
        let played = script.to_string();
        if bless {
            fs::write(&path, &played).unwrap();
        } else if played != text {
            different.push(format!("{}\n{}", path.display(), first_difference(&text, &played)));
        }
    }
    assert!(different.is_empty(), "\n{}\nIf that is right: BLESS=1", different.join("\n"));
}

fn script_paths() -> Vec<PathBuf> {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    let entries = fs::read_dir(scripts).expect("the directory is part of the crate");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|name| name == "script")).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scripts in {scripts}");
    paths
}

/// The first line in which two texts differ, with its surroundings.
fn first_difference(expected: &str, played: &str) -> String {
    let line_at = expected.lines().zip(played.lines()).take_while(|(left, right)| left == right).count();
    let excerpt = |text: &str| -> String {
        let lines = text.lines().enumerate().skip(line_at.saturating_sub(4)).take(9);
        lines.map(|(at, line)| format!("{:>4} {line}\n", at + 1)).collect()
    };
    format!("written:\n{}played:\n{}", excerpt(expected), excerpt(played))
}
