//! Tables. Every cell is escaped: mail and service text can neither move the cursor nor pretend to
//! be another row.

use comfy_table::{ContentArrangement, LineStyle, Table as Drawn, TableStyle};
use commands::Table;
use kernel::escape;

/// Cells longer than this are cut; JSON has them whole.
const WIDEST: usize = 160;

/// The table as text.
pub fn render(table: &Table) -> String {
    let mut drawn = Drawn::new();
    drawn.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    if crate::terminal::shows_data() {
        drawn.set_content_arrangement(ContentArrangement::Dynamic);
    }
    drawn.set_header(&table.columns);
    for row in &table.rows {
        drawn.add_row(row.iter().map(|cell| escape::clipped(cell, WIDEST)));
    }
    let title = escape::line(&table.title);
    let drawn = drawn.trim_fmt();
    if title.is_empty() {
        drawn
    } else {
        format!("{title}\n{drawn}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_forge_a_row_or_move_the_cursor() {
        let mut table = Table::new("t", &["Subject"]);
        table
            .rows
            .push(vec!["a\u{1b}[2J\nforged \u{202e}row".to_owned()]);
        let text = render(&table);
        assert!(text.contains("a\\u{1b}[2J\\nforged \\u{202e}row"), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && escape::is_hostile(c)));
    }
}
