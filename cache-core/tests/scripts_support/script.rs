//! The form of a script: steps with a blank line between them.

use std::fmt;

/// A whole script, with its steps.
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
}

/// What lies between two blank lines.
pub(crate) struct Step {
    comments: Vec<String>,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
}

impl Script {
    /// Takes `text` apart. What stands below a step's line is forgotten: playing it says it anew.
    pub(crate) fn parse(text: &str) -> Self {
        let mut steps = Vec::new();
        for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
            let (said, _played) = block.split_once(LINE).unwrap_or((block, ""));
            let (comments, inputs) = said.lines().partition(|line: &&str| line.starts_with('#'));
            let owned = |lines: Vec<&str>| lines.into_iter().map(String::from).collect();
            steps.push(Step { comments: owned(comments), inputs: owned(inputs), outputs: Vec::new() });
        }
        Self { steps }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            for line in step.comments.iter().chain(&step.inputs) {
                writeln!(f, "{line}")?;
            }
            if !step.inputs.is_empty() {
                writeln!(f, "{LINE}")?;
            }
            for line in &step.outputs {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

/// Divides what is put in from what comes out.
const LINE: &str = "----";
