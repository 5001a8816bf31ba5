//! Least, middle and greatest of a few figures.

/// Figures of repeated measurements.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    pub(super) fn add(&mut self, figure: f64) {
        self.0.push(figure);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle one; of two middle ones their mean. Zero of nothing.
    pub(super) fn median(&self) -> f64 {
        match (self.0.len(), self.0.len() / 2) {
            (0, _) => 0.0,
            (count, middle) if count % 2 == 1 => self.0[middle],
            (_, middle) => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    /// `least / middle / greatest`, with `decimals` digits after the point.
    pub(super) fn spread(&self, decimals: usize) -> String {
        let (Some(least), Some(greatest)) = (self.0.first(), self.0.last()) else {
            return "-".to_owned();
        };
        format!("{least:.decimals$} / {:.decimals$} / {greatest:.decimals$}", self.median())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_names_least_middle_and_greatest() {
        let mut sample = Sample::default();
        assert_eq!(sample.spread(1), "-");
        for figure in [3.0, 1.0, 2.0] {
            sample.add(figure);
        }
        assert_eq!(sample.spread(1), "1.0 / 2.0 / 3.0");
        sample.add(3.0);
        assert_eq!(sample.median(), 2.5);
    }
}
