//! Columns of text, each as wide as its widest entry.

use std::io::{self, Write};

/// Writes rows below their titles; `right` names the columns of numbers.
pub(super) fn write_table<const COLUMNS: usize>(
    out: &mut impl Write,
    titles: [&str; COLUMNS],
    right: &[usize],
    rows: &[[String; COLUMNS]],
) -> io::Result<()> {
    let width_of = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths
            .chain([titles[column].chars().count()])
            .max()
            .unwrap_or_default()
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width_of);
    let titles = titles.map(str::to_owned);
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for (column, text) in row.iter().enumerate() {
            let width = widths[column];
            let cell = if right.contains(&column) {
                format!("{text:>width$}  ")
            } else {
                format!("{text:<width$}  ")
            };
            line.push_str(&cell);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_end() {
        let mut out = Vec::new();
        let rows = [
            ["ä".to_owned(), "1".to_owned()],
            ["long".to_owned(), "10".to_owned()],
        ];
        write_table(&mut out, ["NAME", "N"], &[1], &rows).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "NAME   N\nä      1\nlong  10\n"
        );
    }
}
