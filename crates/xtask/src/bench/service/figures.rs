//! What the program measured.

use anyhow::{Context as _, Result};

/// The unit of what valgrind counts.
pub(super) const INSTRUCTIONS: &str = "instructions";

/// A row with its sides, each with numbers by their units.
pub(super) type Row = (String, Vec<(String, Vec<(String, f64)>)>);

/// All rows, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) rows: Vec<Row>,
}

impl Figures {
    /// Takes in what the program printed: row, side, unit and value, with tabs between.
    pub(super) fn add(&mut self, printed: &str) -> Result<()> {
        for line in printed.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let number = match fields[..] {
                [row, side, unit, value] => {
                    value.parse().ok().map(|value| (row, side, unit, value))
                }
                _ => None,
            };
            let (row, side, unit, value) =
                number.with_context(|| format!("expected a row's number, found {line:?}"))?;
            self.set(row, side, unit, value);
        }
        Ok(())
    }

    pub(super) fn set(&mut self, row: &str, side: &str, unit: &str, value: f64) {
        let sides = place(&mut self.rows, row, Vec::new);
        *place(place(sides, side, Vec::new), unit, || value) = value;
    }

    pub(super) fn get(&self, row: &str, side: &str, unit: &str) -> Option<f64> {
        find(find(find(&self.rows, row)?, side)?, unit).copied()
    }

    /// Every unit, in the order in which they came.
    pub(super) fn units(&self) -> Vec<&str> {
        let mut units = Vec::new();
        for (unit, _) in self.rows.iter().flat_map(|(_, sides)| sides).flat_map(|(_, it)| it) {
            if !units.contains(&unit.as_str()) {
                units.push(unit);
            }
        }
        units
    }
}

fn find<'a, T>(list: &'a [(String, T)], name: &str) -> Option<&'a T> {
    list.iter().find(|(known, _)| known == name).map(|(_, found)| found)
}

/// What stands under this name, added where nothing does.
fn place<'a, T>(list: &'a mut Vec<(String, T)>, name: &str, new: impl FnOnce() -> T) -> &'a mut T {
    let index = list.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        list.push((name.to_owned(), new()));
        list.len() - 1
    });
    &mut list[index].1
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn rows_sides_and_units_keep_their_order() {
        let mut figures = Figures::default();
        figures.add("lock\tours\tper second\t900\nrequest\tplain\tns\t5.5\n").unwrap();
        figures.add("request\tours\tns\t6\nrequest\tours\tallocations\t1\n").unwrap();
        let rows: Vec<_> = figures.rows.iter().map(|(row, _)| row.as_str()).collect();
        assert_eq!(rows, ["lock", "request"]);
        assert_eq!(figures.units(), ["per second", "ns", "allocations"]);
        assert_eq!(figures.get("request", "ours", "ns"), Some(6.0));
        assert_eq!(figures.get("request", "plain", "allocations"), None);
    }

    #[test]
    fn a_line_that_is_no_number_is_an_error() {
        assert!(Figures::default().add("request\tplain\tns\tsoon\n").is_err());
    }
}
