//! Text that came from elsewhere, before it reaches a log, a terminal or a page.

/// Removes what would act on a terminal, a log or the direction of writing instead of being read, and
/// cuts the rest after `chars_max` characters.
///
/// ```
/// let mut name = "lap\u{1b}[2Jtop\n".to_owned();
/// wire::make_readable(&mut name, 6);
/// assert_eq!(name, "lap[2J");
/// ```
pub fn make_readable(text: &mut String, chars_max: usize) {
    let is_short = text.len() <= chars_max;
    if is_short && !text.contains(is_unreadable) {
        return;
    }
    text.retain(|letter| !is_unreadable(letter));
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
    }
}

/// Control characters, separators of lines, and marks that turn the direction of writing.
fn is_unreadable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::make_readable;

    fn read(text: &str, chars_max: usize) -> String {
        let mut text = text.to_owned();
        make_readable(&mut text, chars_max);
        text
    }

    #[test]
    fn names_of_people_stay_as_they_are() {
        for name in ["laptop-eva", "Zoë's MacBook", "机房 3", "لابتوب", ""] {
            assert_eq!(read(name, 128), name);
        }
    }

    #[test]
    fn what_acts_on_a_terminal_or_a_log_is_removed() {
        assert_eq!(read("a\r\nINFO forged\u{9b}1m\u{7}", 128), "aINFO forged1m");
        assert_eq!(read("exe\u{202e}gpj", 128), "exegpj");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(read(&"ü".repeat(5_000_000), 3), "üüü");
        assert_eq!(read("üüü", 3), "üüü");
    }
}
