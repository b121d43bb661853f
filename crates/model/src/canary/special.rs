//! The gamma and beta functions, as logarithms. The standard library's are not stable.

/// From here on Stirling's series is used.
const STIRLING: f64 = 10.0;

/// `B₂ₖ / (2k(2k−1))`, the coefficients of Stirling's series (Abramowitz and Stegun 6.1.41).
const SERIES: [f64; 6] =
    [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1_260.0, -1.0 / 1_680.0, 1.0 / 1_188.0, -691.0 / 360_360.0];

/// `ln Γ(x)` for x > 0, to about 15 digits.
pub(super) fn ln_gamma(x: f64) -> f64 {
    // Γ(x) = Γ(x + 1) / x, up to where the series is exact.
    let (mut x, mut below) = (x, 1.0);
    while x < STIRLING {
        below *= x;
        x += 1.0;
    }
    let square = (x * x).recip();
    let correction = SERIES.iter().rev().fold(0.0, |sum, term| sum * square + term) / x;
    let half_ln_two_pi = 0.5 * std::f64::consts::TAU.ln();
    (x - 0.5) * x.ln() - x + half_ln_two_pi + correction - below.ln()
}

/// `ln B(a, b)` for a, b > 0.
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_and_half_numbers_are_known() {
        let mut factorial = 1.0_f64;
        for n in 1..30 {
            assert!(
                (ln_gamma(f64::from(n)) - factorial.ln()).abs() < 1e-13 * factorial.ln().max(1.0)
            );
            factorial *= f64::from(n);
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-14);
        // B(3, 5) = 2!·4!/7! = 1/105.
        assert!((ln_beta(3.0, 5.0) + 105.0_f64.ln()).abs() < 1e-13);
    }

    proptest! {
        #[test]
        fn a_step_multiplies_by_the_argument(x in 1e-3_f64..1e6) {
            let step = ln_gamma(x + 1.0) - ln_gamma(x);
            prop_assert!((step - x.ln()).abs() < 1e-14 * ln_gamma(x + 1.0).abs().max(10.0));
        }
    }
}
