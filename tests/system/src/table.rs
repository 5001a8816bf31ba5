//! Figures in columns.

use comfy_table::{CellAlignment, Table, presets::NOTHING};

/// An empty table under `headings`; the first column goes to the left, the others to the right.
pub(crate) fn figures<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headings);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = figures(["name", "n"]);
        table.add_row(["a", "1000"]);
        assert_eq!(table.trim_fmt(), " name     n\n a     1000");
    }
}
