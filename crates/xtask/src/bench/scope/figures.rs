//! What the programs measured.

use anyhow::{Context as _, Result};

/// Of one side in one row, for one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) ns: f64,
    pub(super) allocations: f64,
    pub(super) instructions: Option<f64>,
}

/// All rows, in the order in which they came, with their sides.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) rows: Vec<(String, Vec<(String, Figure)>)>,
}

impl Figures {
    /// Takes in what a program printed in one round.
    pub(super) fn add(&mut self, printed: &str) -> Result<()> {
        for line in printed.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let figure = match fields[..] {
                [row, side, ns, allocations] => {
                    ns.parse().ok().zip(allocations.parse().ok()).map(|(ns, allocations)| {
                        (row, side, Figure { ns, allocations, instructions: None })
                    })
                }
                _ => None,
            };
            let (row, side, figure) =
                figure.with_context(|| format!("expected a row's figures, found {line:?}"))?;
            self.add_figure(row, side, figure);
        }
        Ok(())
    }

    /// Keeps the least.
    fn add_figure(&mut self, row: &str, side: &str, figure: Figure) {
        let row = place(&mut self.rows, row, Vec::new);
        let kept = place(row, side, || figure);
        kept.ns = kept.ns.min(figure.ns);
        kept.allocations = kept.allocations.min(figure.allocations);
    }

    pub(super) fn get(&self, row: &str, side: &str) -> Option<Figure> {
        let (_, sides) = self.rows.iter().find(|(name, _)| name == row)?;
        sides.iter().find(|(name, _)| name == side).map(|(_, figure)| *figure)
    }
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
    fn the_least_of_all_rounds_is_kept_and_rows_keep_their_order() {
        let mut figures = Figures::default();
        figures.add("one\tscope\t5.0\t0.0\nten\tscope\t20.0\t0.0\n").unwrap();
        figures.add("one\tscope\t6.0\t0.0\nten\tscope\t19.0\t0.0\none\tGo\t2.0\t1.0\n").unwrap();
        let rows: Vec<_> = figures.rows.iter().map(|(row, _)| row.as_str()).collect();
        assert_eq!(rows, ["one", "ten"]);
        assert_eq!(figures.get("one", "scope").unwrap().ns, 5.0);
        assert_eq!(figures.get("ten", "scope").unwrap().ns, 19.0);
        assert_eq!(figures.get("one", "Go").unwrap().allocations, 1.0);
        assert_eq!(figures.get("ten", "Go"), None);
    }

    #[test]
    fn a_line_that_is_no_figure_is_an_error() {
        assert!(Figures::default().add("one\tscope\tsoon\t0.0\n").is_err());
    }
}
